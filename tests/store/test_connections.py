"""Connections: one to a thread, used again by the next, and never by another process."""

import gc
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from optimizer.store import Store
from optimizer.store.connections import Connections


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.db"


def make(path):
    opened = []

    def connect():
        opened.append(sqlite3.connect(path, check_same_thread=False))
        return opened[-1]

    return Connections(path, connect), opened


def in_thread(act):
    found = []
    thread = threading.Thread(target=lambda: found.append(act()))
    thread.start()
    thread.join()
    return found[0]


def test_a_thread_keeps_its_own_and_leaves_it_to_the_next(path):
    connections, opened = make(path)
    assert connections.own() is connections.own()
    first = in_thread(lambda: id(connections.own()))
    assert in_thread(lambda: id(connections.own())) == first != id(connections.own())
    assert len(opened) == 2


def test_threads_at_the_same_time_have_different_ones_and_few_are_kept(path):
    connections, opened = make(path)
    barrier = threading.Barrier(20)

    def hold():
        connections.own()
        barrier.wait()

    threads = [threading.Thread(target=hold) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(connection) for connection in opened}) == 20
    alive = 0
    for connection in opened:
        try:
            connection.execute("SELECT 1")
            alive += 1
        except sqlite3.ProgrammingError:  # it is closed
            pass
    assert alive == 4


def test_close_closes_this_threads_and_the_idle_ones(path):
    connections, opened = make(path)
    in_thread(connections.own)
    connections.own()
    connections.close()
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError):
            connection.execute("SELECT 1")
    assert connections.own().execute("SELECT 1").fetchone() == (1,)


def test_one_of_a_file_that_was_replaced_is_not_used_again(path):
    connections, opened = make(path)
    in_thread(connections.own)
    opened[0].execute("CREATE TABLE old (a)").connection.commit()
    path.rename(path.with_name("moved.db"))
    connections.own()
    assert len(opened) == 2
    assert connections.own().execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_neither_uses_nor_closes_its_parents(path):
    connections, opened = make(path)
    mine = connections.own()
    in_thread(connections.own)
    mine.execute("CREATE TABLE t (a)")
    mine.execute("INSERT INTO t VALUES (1)")
    mine.commit()
    child = os.fork()
    if child == 0:
        good = connections.own() is not mine and len(opened) == 3
        connections.close()
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert mine.execute("SELECT a FROM t").fetchone() == (1,)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no list of open files here")
def test_threads_that_come_and_go_leave_no_file_open(tmp_path):
    store = Store.open(tmp_path / "home")

    def handles():
        return len(os.listdir("/proc/self/fd"))

    in_thread(store.list_studies)
    gc.disable()  # which would close them, some time
    try:
        before = handles()
        for _ in range(50):
            in_thread(store.list_studies)
        assert handles() <= before
    finally:
        gc.enable()


def test_many_threads_at_once_never_share_one_nor_fail(path):
    connections, _ = make(path)
    in_use, wrong, lock = set(), [], threading.Lock()

    def visit():
        try:
            own = id(connections.own())
            with lock:
                wrong.extend([own] if own in in_use else [])
                in_use.add(own)
            connections.own().execute("SELECT 1")
            with lock:
                in_use.discard(own)
        except Exception as error:
            wrong.append(error)

    for _ in range(20):
        threads = [threading.Thread(target=visit) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
