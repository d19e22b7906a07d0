"""An audit that did not happen is never called clean; what is let pass has a reason and a date."""

import json
from datetime import date

import pytest

from supply_chain import exceptions
from supply_chain.audit import CLEAN, NOT_AUDITED, VULNERABLE, Audit, ask_any, judge, parse
from supply_chain.exceptions import ExceptionsError, expired, read

TODAY = date(2026, 11, 26)
FLAW = {
    "id": "PYSEC-2026-1",
    "aliases": ["CVE-2026-1", "GHSA-aaaa-bbbb-cccc"],
    "fix_versions": ["1.1"],
    "description": "…",
}
REASON = "Only its server is concerned, which Featherweight never starts."
GOOD = f"""
[[exception]]
id = "CVE-2026-1"
package = "thing"
reason = "{REASON}"
until = 2027-01-31
"""


def answer(*entries):
    return parse(json.dumps({"dependencies": entries, "fixes": []}), "requirements.txt", "pypi")


SOUND = {"name": "sound", "version": "2.0", "vulns": []}
FLAWED = {"name": "thing", "version": "1.0", "vulns": [FLAW]}
SKIPPED = {"name": "lost", "skip_reason": "Dependency not found on PyPI"}


@pytest.fixture
def exempt(tmp_path):
    def write(text):
        path = tmp_path / "exceptions.toml"
        path.write_text(text)
        return read(path)

    return write


def test_all_looked_up_and_nothing_known_is_clean():
    code, lines = judge([answer(SOUND)], [], TODAY)
    assert code == CLEAN
    assert lines == ["requirements.txt: 1 of 1 packages looked up at pypi, 0 known vulnerabilities"]


def test_a_known_vulnerability_is_named_with_what_mends_it():
    code, lines = judge([answer(SOUND, FLAWED)], [], TODAY)
    assert code == VULNERABLE
    assert "thing 1.0: PYSEC-2026-1 = CVE-2026-1" in lines[0]
    assert "fixed in 1.1" in lines[0]


@pytest.mark.parametrize(
    "audit",
    [
        answer(SOUND, SKIPPED),
        answer(SKIPPED),
        answer(),
        Audit("requirements.txt", "osv", fault="Failed to resolve 'api.osv.dev'"),
    ],
)
def test_what_was_not_looked_up_is_not_clean(audit):
    code, lines = judge([answer(SOUND), audit], [], TODAY)
    assert code == NOT_AUDITED
    assert lines[-1].startswith("NOT AUDITED: ")


def test_an_exception_lets_pass_and_its_reason_is_said(exempt):
    code, lines = judge([answer(FLAWED)], exempt(GOOD), TODAY)
    assert code == CLEAN
    assert "never starts" in lines[0]
    other = exempt(GOOD.replace('"thing"', '"another"'))
    assert judge([answer(FLAWED)], other, TODAY)[0] == VULNERABLE


def test_an_expired_or_idle_exception_warns(exempt):
    old = exempt(GOOD.replace("2027", "2026"))
    code, lines = judge([answer(FLAWED)], old, TODAY)
    assert code == CLEAN
    assert any("was to be looked at by 2026-01-31" in line for line in lines)
    code, lines = judge([answer(SOUND)], exempt(GOOD), TODAY)
    assert code == CLEAN
    assert any("not needed any more" in line for line in lines)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (GOOD.replace("reason", "why"), "it needs"),
        (GOOD.replace(REASON, "no"), "a reason"),
        (GOOD.replace("2027-01-31", '"soon"'), "a date was expected"),
        ("[[exception]", "cannot be read"),
        ("[exemption]", "takes"),
    ],
)  # fmt: skip
def test_an_exception_without_a_reason_or_date_is_refused(exempt, wrong, said):
    with pytest.raises(ExceptionsError, match=said):
        exempt(wrong)


def test_the_exceptions_in_force_have_reasons():
    in_force = read()
    assert all(item.reason for item in in_force)
    for item in expired(in_force, date.today()):
        print(f"look again at {item.id}")  # a date passes without any change of ours


def test_the_service_that_knows_most_is_believed(monkeypatch):
    answers = {"pypi": answer(SKIPPED, SKIPPED), "osv": answer(SOUND, SKIPPED)}
    asked = []

    def ask(file, service):
        asked.append(service)
        return answers[service]

    monkeypatch.setattr("supply_chain.audit.ask", ask)
    assert ask_any("requirements.txt").audited == 1
    assert asked == ["pypi", "osv"]
    answers["pypi"] = answer(SOUND)
    asked.clear()
    assert ask_any("requirements.txt").whole
    assert asked == ["pypi"]


def test_the_file_is_where_the_target_reads_it():
    assert exceptions.FILE.is_file()
