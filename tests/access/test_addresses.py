"""Which addresses are this machine's own."""

import pytest

from optimizer.access.addresses import is_local_name, is_loopback, refuse_unless_guarded
from optimizer.errors import InputError

LOOPBACK = ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "::ffff:127.0.0.1", "localhost"]
ELSEWHERE = ["0.0.0.0", "::", "[::]", "10.0.0.5", "0", "::ffff:10.0.0.5", "no.such.name.invalid"]


@pytest.mark.parametrize("address", LOOPBACK)
def test_loopback_may_be_served_without_sign_in(address):
    assert is_loopback(address)
    refuse_unless_guarded(address, guarded=False, opened=False)


@pytest.mark.parametrize("address", [*ELSEWHERE, None, "", "unix:///run/featherweight.sock"])
def test_other_addresses_need_sign_in_or_a_word(address):
    with pytest.raises(InputError, match="FEATHERWEIGHT_ALLOW_OPEN=1"):
        refuse_unless_guarded(address, guarded=False, opened=False)
    refuse_unless_guarded(address, guarded=True, opened=False)
    refuse_unless_guarded(address, guarded=False, opened=True)


def test_names_that_a_page_elsewhere_cannot_have():
    for name in ("localhost", "LOCALHOST.", "app.localhost", "127.0.0.1", "[::1]"):
        assert is_local_name(name), name
    for name in ("", "evil.example", "localhost.evil.example", "10.0.0.5", "127.0.0.1.nip.io"):
        assert not is_local_name(name), name
