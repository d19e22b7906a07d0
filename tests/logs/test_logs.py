"""What is written down: whole lines of JSON, about whom, without secrets, of bounded size."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from optimizer.logs.events import about, current, event
from optimizer.logs.files import LogFile, tail
from optimizer.logs.lines import TEXT_CHARACTERS, JsonLines, readable
from optimizer.logs.secrets import HIDDEN, without_secrets
from optimizer.logs.setup import log_path, logged, stderr_path
from optimizer.store import Store
from tests.store.building import build_study

ROOT = Path(__file__).parents[2]
LOG = logging.getLogger("optimizer.tests")


def entries(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def log(tmp_path):
    """The log of an engine while a test lasts."""
    with logged(tmp_path, "engine"):
        yield log_path(tmp_path, "engine")


def test_a_line_has_the_fields_that_people_filter_by(log):
    with about(run="r1", study="s1"):
        event(LOG, "stage_done", stage="prune", key="ab" * 32, seconds=1.23456789, worker=None)
    (line,) = entries(log)
    assert list(line)[:7] == ["time", "level", "event", "run", "study", "stage", "key"]
    assert (line["event"], line["level"]) == ("stage_done", "INFO")
    assert (line["run"], line["study"], line["seconds"]) == ("r1", "s1", 1.234568)
    assert (line["process"], line["pid"]) == ("engine", os.getpid())
    assert "worker" not in line
    assert line["time"].endswith("+00:00")


def test_what_begins_inside_a_run_is_about_it(log):
    async def stage(name):
        await asyncio.sleep(0)
        event(LOG, name)

    async def run(number):
        with about(run=number):
            await asyncio.gather(*(asyncio.create_task(stage(f"{number}{i}")) for i in range(3)))

    async def both():
        await asyncio.gather(run("a"), run("b"))

    asyncio.run(both())
    assert sorted((line["run"], line["event"]) for line in entries(log)) == [
        (run, f"{run}{i}") for run in "ab" for i in range(3)
    ]
    assert current() == {}


def test_messages_of_other_libraries_and_tracebacks_are_lines_too(log):
    logging.getLogger("some.library").warning("lost\n%s", "line two")
    try:
        raise ValueError("no such thing")
    except ValueError as error:
        event(LOG, "run_broke", level=logging.ERROR, error=error)
    first, second = entries(log)
    assert (first["event"], first["text"]) == ("message", "lost\nline two")
    assert first["logger"] == "some.library"
    assert second["error"] == "ValueError: no such thing"
    assert "test_logs.py" in second["traceback"]


def test_a_traceback_that_was_made_safe_already_is_taken_as_it_is(log):
    try:
        raise ValueError("a known value")
    except ValueError as error:
        record = LOG.makeRecord("n", logging.ERROR, "f", 1, "m", (), (ValueError, error, None))
    record.exc_text = "Traceback …\nValueError: [hidden]"
    line = JsonLines("app").entry(record)
    assert (line["error"], "a known value" in str(line)) == ("ValueError: [hidden]", False)


def test_odd_values_are_written_as_json_has_them(log):
    event(LOG, "odd", a=float("nan"), b=Path("/x"), c=("é", 1), d={"e": {2}}, f="\ud800", g=True)
    (line,) = entries(log)
    assert [line[name] for name in "abcdfg"] == ["nan", "/x", ["é", 1], {"e": [2]}, "?", True]
    event(LOG, "long", text="x" * 1_000_000 + "the end")
    assert len(entries(log)[1]["text"]) <= TEXT_CHARACTERS + 1
    assert entries(log)[1]["text"].endswith("the end")


SECRETS = {
    "https://host/shared?token=0123456789abcdef": "0123456789abcdef",
    "GET /oauth2callback?code=4/0AbCdEf&state=xyzzy123": "4/0AbCdEf",
    "client_secret = 'GOCSPX-hunter2'": "hunter2",
    'cookie_secret: "a long random text"': "random",
    "Authorization: Bearer abc.def-ghi_jkl": "abc.def",
    "Cookie: _streamlit_user=2|1:0|10:17; _streamlit_xsrf=2|abc": "2|abc",
    "{'password': 'hunter2', 'user': 'ann'}": "hunter2",
    "tls://ann:hunter2@10.0.0.5:8786": "hunter2",
    "id_token=eyJhbGciOi.eyJzdWIiOiI.c2lnbmF0dXJl": "c2lnbmF0dXJl",
    "said eyJhbGciOi.eyJzdWIiOiI.c2lnbmF0dXJl there": "c2lnbmF0dXJl",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----": "MIIEvQ",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEvQ cut off": "MIIEvQ",
    "AWS_API_KEY=AKIA1234": "AKIA1234",
}


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_not_written(log, text):
    assert SECRETS[text] in text
    event(LOG, "said", text=text, nested={"list": [text]})
    LOG.warning("%s", text)
    try:
        raise ValueError(text)
    except ValueError as error:
        event(LOG, "broke", error=error)
    assert SECRETS[text] not in log.read_text()
    assert log.read_text().count(HIDDEN) >= 5


def test_fields_named_as_secrets_are_not_written(log):
    event(LOG, "signed_in", client_secret="hunter2", Cookie="hunter2", share_token=7, user="ann")
    assert "hunter2" not in log.read_text()
    line = entries(log)[0]
    assert (line["share_token"], line["user"]) == (HIDDEN, "ann")


@pytest.mark.parametrize(
    "piece", ["x", "eyJ-", "a://", "token ", "cookie", "-----BEGIN ", "&code="]
)
def test_long_texts_of_strangers_do_not_hold_the_log_up(piece):
    assert without_secrets(piece * 20_000)


def test_ordinary_text_stays_as_it_is():
    text = (
        "Prune: done in 3.2 s; state=done, code 3, tokens of a sequence, key=ab12, dense_1/kernel:0"
    )
    assert without_secrets(text) == text


def test_the_size_is_bounded_and_every_line_whole(tmp_path):
    handler = LogFile(tmp_path / "engine.log", file_bytes=3000, old_files=2)
    handler.setFormatter(JsonLines("engine"))
    others = LogFile(tmp_path / "engine.log", file_bytes=3000, old_files=2)  # another process
    others.setFormatter(JsonLines("engine"))

    def write(to, name):
        for i in range(60):
            to.emit(LOG.makeRecord("n", logging.INFO, "f", 1, f"{name}{i} " + "x" * 60, (), None))

    threads = [
        threading.Thread(target=write, args=pair) for pair in ((handler, "a"), (others, "b"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = sorted(path.name for path in tmp_path.glob("engine.log*") if path.suffix != ".lock")
    assert files == ["engine.log", "engine.log.1", "engine.log.2"]
    newest = []
    for name in reversed(files):
        assert (tmp_path / name).stat().st_size <= 3000
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
        newest += [line["text"].split()[0] for line in entries(tmp_path / name)]
    for name in "ab":
        mine = [int(text[1:]) for text in newest if text[0] == name]
        assert mine == list(range(60 - len(mine), 60)), "the last ones, in order, none lost"


def test_a_full_disk_ends_nothing(tmp_path, monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with logged(tmp_path, "engine"):
        monkeypatch.setattr("optimizer.logs.files.os.open", full)
        event(LOG, "still_alive")
    assert "No space left on device" in capsys.readouterr().err


def test_a_person_can_read_the_log(log):
    event(LOG, "stage_done", run="r1", stage="prune", text="Prune: done\x1b[2J\nFORGED entry")
    try:
        raise ValueError("bad")
    except ValueError as error:
        event(LOG, "run_broke", level=logging.ERROR, error=error)
    text = readable(tail(log, 4000) + "a plain line\n{not json\n")
    assert "INFO Prune: done\ufffd[2J\n    FORGED entry event=stage_done run=r1 stage=prune" in text
    assert "ERROR run_broke error=ValueError: bad\n    Traceback" in text
    assert text.endswith("a plain line\n{not json")
    assert tail(log, 50).count("\n") <= 1
    assert tail(log.with_name("missing"), 50) == ""


def test_the_level_can_be_set(tmp_path, monkeypatch):
    monkeypatch.setenv("FEATHERWEIGHT_LOG_LEVEL", "error")
    with logged(tmp_path, "app"):
        event(LOG, "quiet")
        event(LOG, "loud", level=logging.ERROR)
    assert [line["event"] for line in entries(log_path(tmp_path, "app"))] == ["loud"]


def test_loggers_that_pass_nothing_on_are_heard(tmp_path):
    apart = logging.getLogger("streamlit.tests_only")
    apart.propagate = False
    with logged(tmp_path, "app"):
        apart.setLevel(logging.INFO)
        apart.info("GET /static/js/index.js")
        apart.error("Uncaught app execution")
    apart.error("not heard any more")
    assert [line["text"] for line in entries(log_path(tmp_path, "app"))] == [
        "Uncaught app execution"
    ]


def test_what_people_ask_for_is_logged_without_what_opens_doors(tmp_path):
    store = Store.open(tmp_path)
    with logged(tmp_path, "app"):
        study = build_study(store)
        share = store.share_study(study.id)
        run = store.queue_run("variants", "Sweep", study_id=study.id)
        store.request_cancel(run.id)
        store.delete_study(study.id)
    text = log_path(tmp_path, "app").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    names = [line["event"] for line in lines]
    assert names[:3] == ["model_added", "dataset_added", "study_created"]
    assert names[-3:] == ["run_queued", "cancel_asked", "study_deleted"]
    assert all(line["run"] == run.id for line in lines if line["event"] in names[-3:-1])
    assert share.token not in text
    store.close()


CHILD = """
import sys, os, threading, warnings
from pathlib import Path
from optimizer.logs.setup import start_logging
start_logging(Path(sys.argv[1]), "engine")
start_logging(Path(sys.argv[1]), "engine")
print("said by a native library", file=sys.stderr, flush=True)
exec(sys.argv[2])
"""


def engine(home, code, captured=True):
    """A process that logs as an engine and does something; its exit code and what it printed."""
    command = [sys.executable, "-c", CHILD, str(home), code]
    if not captured:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr
    with stderr_path(home).open("ab") as output:
        done = subprocess.run(command, cwd=ROOT, stderr=output, check=False)
    return done.returncode, ""


def test_what_an_engine_prints_is_in_its_log(tmp_path):
    assert engine(tmp_path, "pass") == (0, "")
    lines = entries(log_path(tmp_path, "engine"))
    assert [(line["event"], line["text"]) for line in lines] == [
        ("stderr", "said by a native library")
    ]
    assert stderr_path(tmp_path).read_bytes() == b""


def test_an_exception_that_ends_an_engine_is_in_its_log(tmp_path):
    assert engine(tmp_path, "raise RuntimeError('no way on')")[0] == 1
    line = entries(log_path(tmp_path, "engine"))[0]
    assert (line["event"], line["level"]) == ("uncaught", "CRITICAL")
    assert "RuntimeError: no way on" in line["traceback"]
    thread = "t = threading.Thread(target=lambda: 1 / 0, name='beat'); t.start(); t.join()"
    assert engine(tmp_path, thread)[0] == 0
    found = [e for e in entries(log_path(tmp_path, "engine")) if e.get("thread") == "beat"]
    assert "ZeroDivisionError" in found[0]["traceback"]


def test_a_crash_in_native_code_is_in_the_log_with_the_next_start(tmp_path):
    assert engine(tmp_path, "os.kill(os.getpid(), 11)")[0] == -signal.SIGSEGV
    assert engine(tmp_path, "pass")[0] == 0
    left = [e for e in entries(log_path(tmp_path, "engine")) if e["event"] == "left_on_stderr"]
    assert "Segmentation fault" in left[0]["text"]
    assert left[0]["level"] == "WARNING"


def test_a_terminal_gets_words(tmp_path):
    code = "import logging; from optimizer.logs.events import event\n"
    code += "event(logging.getLogger('optimizer.x'), 'engine_ready', text='On this machine')"
    returned, said = engine(tmp_path, code, captured=False)
    assert returned == 0
    assert "INFO On this machine event=engine_ready" in said
    assert [e["event"] for e in entries(log_path(tmp_path, "engine"))] == ["engine_ready"]
