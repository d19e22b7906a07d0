"""Scheduling on Dask, with stages that need no TensorFlow model."""

import asyncio
import hashlib

import pytest

from optimizer.engine.pool import Pool
from optimizer.engine.process import StageCall
from optimizer.engine.runner import StageRunner
from optimizer.errors import InputError, StageError
from optimizer.keys import Source, Stage
from optimizer.store import Store


def call(name):
    return StageCall(f"tests.engine.stages:{name}", {}, 1, 4 * 2**30)


def given(content):
    key = hashlib.sha256(content).hexdigest()
    return {"file": (key, lambda: {"data": content})}


def with_pool(tmp_path, work):
    """Run a coroutine function with a started pool."""

    async def run():
        pool = Pool(1, tmp_path)
        await pool.start()
        try:
            return await asyncio.wait_for(work(pool), 120)
        finally:
            await pool.stop()

    return asyncio.run(run())


async def started(pool, key, name, resource="train", inputs=None):
    """A stage's task, once its process runs."""
    running = asyncio.Event()
    task = asyncio.create_task(
        pool.run(key, call(name), inputs or given(b"ab"), resource, lambda _: running.set())
    )
    await running.wait()
    return task


def test_results_and_errors_come_back(tmp_path):
    async def work(pool):
        events = []
        files = await pool.run("k1", call("double"), given(b"ab"), "train", events.append)
        assert files == {"out": b"abab"}
        assert events[0]["started"]
        with pytest.raises(InputError, match="The file is empty"):
            await pool.run("k2", call("refuse"), given(b""), "train", events.append)
        with pytest.raises(StageError, match="ZeroDivisionError") as caught:
            await pool.run("k3", call("fail"), given(b""), "train", events.append)
        assert "Traceback" in caught.value.log

    with_pool(tmp_path, work)


def test_inputs_with_equal_file_names_are_kept_apart(tmp_path):
    async def work(pool):
        one, two = await asyncio.gather(
            pool.run("k1", call("double"), given(b"1"), "light", lambda _: None),
            pool.run("k2", call("double"), given(b"2"), "light", lambda _: None),
        )
        assert (one["out"], two["out"]) == (b"11", b"22")

    with_pool(tmp_path, work)


def test_a_failed_or_cancelled_stage_can_be_asked_for_again(tmp_path):
    async def work(pool):
        for _ in range(2):
            with pytest.raises(StageError, match="SIGSEGV"):
                await pool.run("k", call("crash"), given(b""), "train", lambda _: None)
        task = await started(pool, "s", "spin")
        task.cancel()
        await asyncio.wait([task])
        again = await started(pool, "s", "spin")
        assert not again.done()
        again.cancel()
        files = await pool.run("k", call("double"), given(b"x"), "train", lambda _: None)
        assert files == {"out": b"xx"}

    with_pool(tmp_path, work)


def test_a_benchmark_waits_until_nothing_trains(tmp_path):
    async def work(pool):
        training = await started(pool, "t", "spin")
        quiet = asyncio.create_task(
            pool.run("q", call("double"), given(b"x"), "quiet", lambda _: None)
        )
        light = await pool.run("l", call("double"), given(b"x"), "light", lambda _: None)
        assert light == {"out": b"xx"}
        assert not quiet.done()
        training.cancel()
        assert await quiet == {"out": b"xx"}

    with_pool(tmp_path, work)


def test_two_runs_that_want_the_same_stage_run_it_once(tmp_path):
    store = Store.open(tmp_path / "home")
    source = Source(store.files.write(b"ab"))
    stage = Stage("double", "tests.engine.stages:process_group", "Double", {}, {"file": source})

    async def work(pool):
        runner = StageRunner(store, pool, 4 * 2**30)
        events = []
        await asyncio.gather(*(runner.run(stage, events.append) for _ in range(3)))
        assert sum("started" in event for event in events) <= 3
        assert runner.has(stage)

    with_pool(tmp_path, work)
    assert len(list(store.artifacts.keys())) == 1
    store.close()


def test_a_stage_goes_on_while_somebody_still_waits_for_it(tmp_path):
    store = Store.open(tmp_path / "home")
    source = Source(store.files.write(b"ab"))
    stage = Stage("double", "tests.engine.stages:slow_double", "Double", {}, {"file": source})

    async def work(pool):
        runner = StageRunner(store, pool, 4 * 2**30)
        running = asyncio.Event()
        first = asyncio.create_task(runner.run(stage, lambda _: running.set()))
        second = asyncio.create_task(runner.run(stage, lambda _: None))
        await running.wait()
        first.cancel()
        await second
        assert runner.has(stage)

    with_pool(tmp_path, work)
    store.close()
