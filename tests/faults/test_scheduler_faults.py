"""Schedulers that go, for good or for a while."""

import asyncio
import socket
import subprocess
import sys

import pytest

from optimizer.engine import pool
from optimizer.engine.cluster import Cluster, WorkerFacts
from optimizer.engine.process import StageCall
from optimizer.engine.remote import make_certificates
from optimizer.errors import StageError
from optimizer.settings import Settings, capacity
from tests.engine.conftest import ROOT
from tests.store.building import key


class LostScheduler(Cluster):
    """A connection that is gone."""

    connected = False

    async def workers(self):
        raise OSError("gone")

    async def close(self):
        pass


def test_a_scheduler_that_is_lost_for_good_fails_its_stage_in_words(tmp_path, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setattr(pool, "_RECONNECT_SECONDS", 0.5)
    monkeypatch.setattr(pool, "_LOOK_SECONDS", 0.05)
    settings = Settings(scheduler=f"tcp://127.0.0.1:{port}")
    waiting = pool.Pool(settings, capacity(Settings()), tmp_path)
    waiting._cluster = LostScheduler(settings.scheduler, None)
    worker = WorkerFacts("tcp://127.0.0.1:1", 1, True, True)

    async def lost(place, job, listen):
        waiting._know([])
        raise pool._LostError("the scheduler is gone")

    heard = []

    async def run():
        waiting._know([worker])
        waiting._attempt_at = lost
        job = pool.Job(key("a"), StageCall("f:g", {}, 1, 0), {}, "train")
        await waiting.run(job, heard.append)

    with pytest.raises(StageError, match="was lost and has stayed away") as caught:
        asyncio.run(run())
    assert f"tcp://127.0.0.1:{port} does not answer" in str(caught.value)
    assert "run stages on this machine" in str(caught.value)
    assert heard == [{"waiting": "its worker was lost; it is run again"}]


def test_an_idle_engine_joins_a_scheduler_that_comes_back(tmp_path):
    """Nothing is under way that would look for it, and the next run must not wait for ever."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    tls = tmp_path / "tls"
    make_certificates(tls)
    settings = Settings(scheduler=f"tls://127.0.0.1:{port}", tls=str(tls))
    where = ["--host", "127.0.0.1", "--port", str(port), "--tls", str(tls)]

    def start_scheduler():
        command = [sys.executable, "-m", "optimizer.engine.remote", "scheduler", *where]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=log)

    async def until(condition):
        async with asyncio.timeout(600):
            while not condition():
                await asyncio.sleep(0.05)

    async def join(waiting):
        while True:
            try:
                return await waiting.start()
            except StageError:
                await asyncio.sleep(0.2)

    async def run():
        waiting, scheduler = pool.Pool(settings, capacity(Settings()), tmp_path), start_scheduler()
        try:
            await asyncio.wait_for(join(waiting), 600)
            assert waiting._cluster.connected
            scheduler.kill()
            scheduler.wait()
            await until(lambda: not waiting._cluster.connected)
            scheduler = start_scheduler()
            await until(lambda: waiting._cluster.connected)
            assert await waiting._cluster.workers() == []
        finally:
            await waiting.stop()
            scheduler.kill()
            scheduler.wait()

    with (tmp_path / "scheduler.log").open("ab") as log:
        asyncio.run(run())
