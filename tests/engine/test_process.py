import os
import threading
import time
from pathlib import Path

import psutil
import pytest

from optimizer.confinement import Limits
from optimizer.engine.process import MemoryExceededError, StageCall, run_in_process
from optimizer.errors import CancelledError, InputError, StageError
from optimizer.stage import ignore_progress

GIB = 2**30


def run(name, progress=ignore_progress, cancelled=None, *, memory=4 * GIB, threads=1, processes=0):
    inputs = {"file": {"data": b"ab"}}
    call = StageCall(f"tests.engine.stages:{name}", {}, threads, memory)
    limits = Limits(memory, processes=processes)
    event = cancelled or threading.Event()
    result = run_in_process(call, inputs, progress, event, limits=limits)
    assert result.peak_memory_bytes > 0
    return result.files


def test_a_stage_returns_its_files_and_reports_progress():
    told = []
    files = run("double", lambda fraction, message, **numbers: told.append((fraction, numbers)))
    assert files == {"out": b"abab"}
    assert (0.5, {"loss": 1.5}) in told


def test_each_stage_has_a_process_and_a_folder_of_its_own():
    one, two = run("process_group"), run("process_group")
    assert one["pid"] != two["pid"]
    assert int(one["pid"]) != os.getpid()
    assert one["cwd"] != two["cwd"]
    assert not Path(one["cwd"].decode()).exists()


def test_a_refusal_stays_a_refusal():
    with pytest.raises(InputError, match="The file is empty; received 0 bytes"):
        run("refuse")


def test_an_exception_becomes_a_sentence_and_a_log():
    with pytest.raises(StageError, match="ZeroDivisionError: division by zero") as caught:
        run("fail")
    assert "Traceback" in caught.value.log


def test_a_native_crash_ends_the_stage_only():
    with pytest.raises(StageError, match="SIGSEGV: a crash in native code"):
        run("crash")
    with pytest.raises(MemoryExceededError, match="The stage ran out of memory"):
        run("give_up")
    assert run("double") == {"out": b"abab"}


def test_a_stage_that_takes_too_much_memory_is_ended():
    with pytest.raises(StageError, match=r"more than its limit of 1\.5 GiB"):
        run("hoard", memory=int(1.5 * GIB))


def is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_cancelling_kills_the_stage_and_its_children():
    cancelled = threading.Event()
    pids = set()

    def cancel_when_both_spoke(fraction, message, *, pid):
        pids.add(pid)
        assert is_running(pid)
        if len(pids) == 2:
            cancelled.set()

    with pytest.raises(CancelledError):
        run("spin_with_child", cancel_when_both_spoke, cancelled, processes=1)
    deadline = time.monotonic() + 30
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(is_running, pids))


def test_a_stage_uses_the_threads_it_was_given():
    assert run("threads", threads=2) == {"threads": b"2"}
