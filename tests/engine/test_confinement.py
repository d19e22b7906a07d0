"""Real stage processes try what they must not; engine and machine have to be none the worse.

Each stage is forked from a server without TensorFlow, with namespaces and (``plain``) without.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from optimizer.confinement import Limits
from optimizer.engine import protections
from optimizer.engine.forks import Forks
from optimizer.engine.process import StageCall, run_in_process
from optimizer.engine.watch import MemoryExceededError
from optimizer.errors import CancelledError, InputError, StageError
from optimizer.stage import ignore_progress

MIB, GIB = 2**20, 2**30
LIMITS = Limits(GIB)
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "aws",
    "FEATHERWEIGHT_TLS": "/tls",
    "STREAMLIT_COOKIE_SECRET": "cookie",
    "DATABASE_URL": "postgres://",
    "TF_VAR_PASSWORD": "terraform",
}
linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


@pytest.fixture(scope="module")
def holds():
    """Which protections this machine has."""
    return {protection.name: protection.holds for protection in protections.report()}


@pytest.fixture(scope="module", params=["namespaces", "plain"])
def forks(request):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        server = Forks(preload="optimizer.engine.probe", plain=request.param == "plain")
        server.start()
        yield server
        server.stop()


def run(forks, name, params=None, limits=LIMITS, progress=ignore_progress, cancelled=None):
    call = StageCall(f"tests.engine.hostile:{name}", params or {}, 0, limits.memory_bytes)
    inputs = {"file": {"data": b"ab"}}
    event = cancelled or threading.Event()
    return run_in_process(call, inputs, progress, event, limits=limits, forks=forks).files


def ask(forks, name, params=None, limits=LIMITS):
    return json.loads(run(forks, name, params, limits)["found.json"])


def still_works(forks):
    return run(forks, "double") == {"out": b"abab"}


def is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(pids, seconds=30):
    deadline = time.monotonic() + seconds
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(is_running, pids))


def needs(holds, *names):
    for name in names:
        if not holds[name]:
            pytest.skip(f"the kernel does not let a stage have the protection {name!r}")


def test_the_report_says_of_each_protection_whether_it_holds_and_what_it_is():
    found = protections.report()
    names = "Limits, Files, Network, Other processes, Leftovers, Programs, Privileges, Environment"
    assert [p.name for p in found] == names.split(", ")
    assert all(p.detail.endswith(".") for p in found)
    assert {p.name for p in found if p.holds} >= {"Limits", "Environment"}


def test_a_stage_runs_without_what_an_old_kernel_lacks_and_the_report_says_so(tmp_path):
    outside = tmp_path / "file"
    outside.touch()
    forks = Forks(preload="tests.engine.old_kernel", plain=True)
    params = {"outside": str(outside), "process_id": os.getpid()}
    call = StageCall("optimizer.engine.probe:stage", params, 0, GIB)
    try:
        result = run_in_process(call, {}, ignore_progress, threading.Event(), forks=forks)
        assert still_works(forks)
    finally:
        forks.stop()
    found = {p["name"]: p for p in json.loads(result.files["found.json"])}
    missing = {"Files", "Network", "Other processes", "Programs", "Privileges"}
    assert {name for name, p in found.items() if not p["holds"]} - missing == set()
    if sys.platform == "linux":
        assert "no Landlock (Function not implemented)" in found["Files"]["detail"]
        assert {name for name, p in found.items() if not p["holds"]} == missing


@linux
def test_a_stage_sees_no_secret_no_foreign_descriptor_and_has_a_private_folder(forks):
    found = ask(forks, "look_around")
    for seen in (found["exec_environment"], json.dumps(found["environment"])):
        assert not any(name in seen for name in SECRETS)
    assert found["environment"]["HOME"] == found["environment"]["TMPDIR"] == found["folder"]
    links = list(found["fds"].values())
    assert sum(link.startswith("pipe:") for link in links) == 1, "the way to its result"
    others = [link for link in links if not link.startswith("pipe:")]
    scratch = str(forks.scratch.path)
    assert all(link == "/dev/null" or link.startswith((scratch, "/proc/")) for link in others)
    assert found["mode"] == "0o700"
    assert not Path(found["folder"]).exists()
    assert "NoNewPrivs:\t1" in found["status"]
    assert "CapEff:\t0000000000000000" in found["status"]


@linux
def test_a_stage_reads_and_writes_no_file_of_anybody(forks, holds, tmp_path):
    needs(holds, "Files")
    secret = tmp_path / "key.pem"
    secret.write_bytes(b"private key")
    secret.chmod(0o600)
    found = ask(forks, "touch_files", {"secret": str(secret), "engine": os.getpid()})
    assert found.pop("own") == "done"
    assert set(found.values()) <= {"PermissionError", "OSError"}, found
    assert secret.read_bytes() == b"private key"
    assert os.listdir(tmp_path) == ["key.pem"]


@linux
def test_a_stage_reaches_no_network_and_no_local_socket(forks, holds, tmp_path):
    needs(holds, "Network")
    path = str(tmp_path / "socket")
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as local:
        local.bind(path)
        local.listen()
        found = ask(forks, "use_network", {"port": tcp.getsockname()[1], "path": path})
    assert set(found.values()) == {"PermissionError"}


@linux
def test_a_stage_cannot_kill_trace_or_start_anything(forks, holds):
    needs(holds, "Other processes", "Programs")
    found = ask(forks, "attack_processes", {"engine": os.getpid()})
    assert found.pop("trace") == found.pop("namespace") == -1
    assert set(found.values()) <= {"PermissionError", "ProcessLookupError"}, found
    assert still_works(forks)


@linux
def test_a_stage_cannot_stop_itself(forks, holds):
    needs(holds, "Other processes")
    assert ask(forks, "stop_itself") == {"went_on": True}


def test_cancelling_ends_a_stage_that_ignores_every_signal(forks):
    cancelled, pids = threading.Event(), []

    def cancel(fraction, message, *, pid):
        pids.append(pid)
        cancelled.set()

    with pytest.raises(CancelledError):
        run(forks, "ignore_all", progress=cancel, cancelled=cancelled)
    assert gone(pids)


@linux
@pytest.mark.parametrize("stay", [False, True])
def test_what_a_stage_leaves_behind_ends_with_it(forks, stay):
    pids, cancelled = [], threading.Event()

    def hear(fraction, message, *, pid):
        pids.append(pid)
        if stay:
            cancelled.set()

    limits = Limits(GIB, processes=4)
    if stay:
        with pytest.raises(CancelledError):
            run(forks, "leave_grandchild", {"stay": True}, limits, hear, cancelled)
    else:
        run(forks, "leave_grandchild", {}, limits, hear)
    assert pids
    assert gone(pids)


def descendants(pid):
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@linux
def test_a_fork_bomb_ends_with_a_sentence_and_leaves_nothing(forks):
    before = {process.pid for process in descendants(os.getpid())}
    with pytest.raises(StageError, match="started more than 8 processes and was ended"):
        run(forks, "fork_bomb", limits=Limits(8 * GIB, processes=8))
    assert gone({process.pid for process in descendants(os.getpid())} - before)
    assert still_works(forks)


def test_processor_time_is_bounded(forks):
    with pytest.raises(StageError, match="more than its limit of 1 seconds of processor time"):
        run(forks, "spin", limits=Limits(GIB, processor_seconds=1))


@linux
def test_memory_is_bounded_at_once(forks):
    with pytest.raises(MemoryExceededError, match=r"The stage ran out of memory\. Try"):
        run(forks, "take_at_once", {"size": 8 * GIB}, Limits(64 * MIB))


@linux
def test_shared_memory_and_that_of_children_count_too(forks):
    with pytest.raises(MemoryExceededError, match=r"more than its limit of 0\.2 GiB"):
        run(forks, "take_shared", limits=Limits(200 * MIB))
    with pytest.raises(MemoryExceededError, match=r"more than its limit of 0\.2 GiB"):
        run(forks, "take_in_children", {"size": 400 * MIB}, Limits(200 * MIB, processes=4))


@linux
@pytest.mark.parametrize("delete", [False, True])
def test_temporary_files_are_bounded_also_when_they_have_no_name_any_more(forks, delete):
    with pytest.raises(StageError, match=r"wrote more than 0\.0156 GiB of temporary files"):
        run(forks, "fill_folder", {"delete": delete}, Limits(GIB, scratch_bytes=16 * MIB))
    assert len(list(forks.scratch.path.iterdir())) == 2, "the lock and the server's own folder"


@linux
def test_the_number_and_size_of_files_are_bounded(forks):
    with pytest.raises(StageError, match="made more than 500 files in its private folder"):
        run(forks, "make_many_files", limits=Limits(GIB, scratch_files=500))
    with pytest.raises(StageError, match=r"a file of more than 0\.0156 GiB, the limit of one"):
        run(forks, "write_large_file", limits=Limits(GIB, file_bytes=16 * MIB))
    with pytest.raises(StageError, match="more than 64 files open at once"):
        run(forks, "open_many_files", limits=Limits(GIB, open_files=64))


@linux
def test_a_log_of_any_length_stays_small(forks):
    found = ask(forks, "print_much", {"limit": MIB}, Limits(GIB, log_bytes=MIB))
    assert found["size"] <= MIB


def test_closing_the_pipe_ends_the_stage_with_a_sentence(forks):
    with pytest.raises(StageError, match="closed the way to its result and was ended"):
        run(forks, "close_pipe")


@linux
def test_a_pickle_from_a_stage_runs_nothing(forks, tmp_path):
    path = tmp_path / "made by a pickle"
    with pytest.raises(StageError, match="sent what is no result"):
        run(forks, "send_pickle", {"path": str(path)})
    assert not path.exists()


@linux
@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({"kind": "done", "files": {"x": 2**40}}, "more than its limit"),
        ({"kind": "done", "files": {"x": -1}}, "the file size -1"),
        ({"kind": "done", "files": {"../../x": 1}}, "the file name"),
        ({"kind": "hello", "files": {}, "process_id": 1}, "a greeting at the wrong time"),
        ({"kind": "progress", "files": {}, "numbers": {"message": 1}}, "the number 'message'"),
    ],
)
def test_a_result_that_is_none_ends_the_stage_with_a_sentence(forks, header, why):
    with pytest.raises(StageError, match=f"sent what is no result .*{why}"):
        run(forks, "send", {"header": header})


@linux
def test_a_flood_of_progress_reaches_the_engine_as_a_trickle(forks):
    told = []
    started = time.monotonic()
    run(forks, "flood", progress=lambda *_, **__: told.append(1))
    assert len(told) <= 101 + (time.monotonic() - started) / 0.02


def test_the_server_is_started_again_when_it_was_killed(forks):
    server = psutil.Process(forks._process.pid)
    for process in [*server.children(recursive=True), server]:
        process.kill()
    assert gone([server.pid])
    assert still_works(forks)


_LIVES = """
import os, sys, threading
from optimizer.confinement import Limits
from optimizer.engine.forks import Forks
from optimizer.engine.process import StageCall, run_in_process
forks = Forks(preload="optimizer.engine.probe", plain=sys.argv[1] == "plain")
call = StageCall("tests.engine.hostile:ignore_all", {}, 0, 2**30)
def hear(fraction, message, *, pid):
    print(os.getpid(), pid, forks.scratch.path, flush=True)
run_in_process(call, {}, hear, threading.Event(), limits=Limits(2**30), forks=forks)
"""


@linux
@pytest.mark.parametrize("mode", ["namespaces", "plain"])
def test_a_killed_engine_leaves_no_process_and_its_folder_to_the_next(mode, tmp_path):
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", _LIVES, mode]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as engine:
        _, stage, folder = engine.stdout.readline().split()
        below = [process.pid for process in descendants(engine.pid)]
        assert int(stage) in below
        engine.send_signal(signal.SIGKILL)
        assert gone(below)
    assert Path(folder).is_dir()
    from optimizer.engine.scratch import remove_strays

    assert remove_strays(tmp_path) == [Path(folder)]
    assert not os.listdir(tmp_path)


def test_a_refusal_is_still_a_refusal(forks):
    call = StageCall("tests.engine.stages:refuse", {}, 0, GIB)
    with pytest.raises(InputError, match="The file is empty; received 0 bytes"):
        run_in_process(call, {}, ignore_progress, threading.Event(), limits=LIMITS, forks=forks)
