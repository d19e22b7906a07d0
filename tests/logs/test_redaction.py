"""No log record shows a secret, whoever writes it."""

import io
import logging

import pytest
from uvicorn.logging import AccessFormatter

from optimizer.logs.redaction import hide_in_logs
from optimizer.logs.secrets import HIDDEN, redactor

TOKEN = "qWeRtYuIoP1234567890-_asdfgh"


@pytest.mark.parametrize(
    "text",
    [
        f"GET /shared?token={TOKEN} HTTP/1.1",
        f"/shared?study=1&token={TOKEN}&x=1",
        f"query token={TOKEN}",
        f"https://lab/oauth2callback?code={TOKEN}&state={TOKEN}",
        f"{{'access_token': '{TOKEN}', 'id_token': '{TOKEN}'}}",
        f'{{"client_secret": "{TOKEN}"}}',
        f"token%3D{TOKEN}",
        f"/auth/login?provider={TOKEN}",
    ],
)
def test_what_follows_a_secrets_name_is_hidden(text):
    shown = redactor()(text)
    assert TOKEN not in shown
    assert HIDDEN in shown


def test_the_rest_stays():
    text = "exit code=2, state=running, study?study=1f&variant=2a, tokenizer=fast"
    assert redactor(["short"])(text) == text


def test_known_values_are_hidden_wherever_they_stand():
    assert redactor([TOKEN])(f"bad key {TOKEN!r}") == f"bad key '{HIDDEN}'"


def test_every_record_of_the_process_is_clean():
    before, written = logging.getLogRecordFactory(), io.StringIO()
    handler = logging.StreamHandler(written)
    log = logging.getLogger("tests.redaction")
    log.addHandler(handler)
    try:
        hide_in_logs([TOKEN])
        hide_in_logs([TOKEN])  # a second time changes nothing
        log.warning("GET %s %d", f"/shared?token={TOKEN}", 200)
        log.warning("%s", ValueError(TOKEN))
        log.warning("whole %(token)s", {"token": TOKEN})
        log.warning("only its name says so: token=%s", TOKEN[::-1])
        try:
            raise RuntimeError(f"refused: token={TOKEN}")
        except RuntimeError:
            log.exception("failed")
    finally:
        logging.setLogRecordFactory(before)
        log.removeHandler(handler)
    text = written.getvalue()
    assert TOKEN not in text
    assert TOKEN[::-1] not in text
    assert "only its name says so: token=[hidden]" in text
    assert "GET /shared?token=" in text
    assert "RuntimeError: refused" in text
    assert text.count(HIDDEN) >= 4


def test_uvicorns_lines_about_requests_keep_their_form():
    before, written = logging.getLogRecordFactory(), io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(AccessFormatter('%(client_addr)s "%(request_line)s" %(status_code)s'))
    log = logging.getLogger("uvicorn.access")
    log.addHandler(handler)
    try:
        hide_in_logs()
        path = f"/shared?cookie={TOKEN}"
        log.warning('%s - "%s %s HTTP/%s" %d', "127.0.0.1:5", "GET", path, "1.1", 200)
    finally:
        logging.setLogRecordFactory(before)
        log.removeHandler(handler)
    assert TOKEN not in written.getvalue()
    assert written.getvalue().startswith('127.0.0.1:5 "GET /shared?cookie=[hidden]')
    assert "200" in written.getvalue()
