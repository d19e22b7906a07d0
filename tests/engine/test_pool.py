"""Scheduling on Dask, with stages that need no TensorFlow model."""

import asyncio
import hashlib

import pytest

from optimizer.engine.pool import Job, Pool
from optimizer.engine.process import MemoryExceededError, StageCall
from optimizer.engine.runner import StageRunner
from optimizer.errors import InputError, StageError
from optimizer.keys import Source, Stage
from optimizer.settings import Capacity, Settings
from optimizer.store import Store


def job(key, name, content=b"ab", resource="train", **options):
    source = hashlib.sha256(content).hexdigest()
    inputs = {"file": (source, lambda: {"data": content})}
    return Job(key, StageCall(f"tests.engine.stages:{name}", {}, 1, 0), inputs, resource, **options)


def with_pool(tmp_path, work, slots=1, memory_bytes=4 * 2**30):
    """Run a coroutine function with a started pool."""

    async def run():
        pool = Pool(Settings(), Capacity(slots, 1, memory_bytes), tmp_path)
        await pool.start()
        try:
            return await asyncio.wait_for(work(pool), 120)
        finally:
            await pool.stop()

    return asyncio.run(run())


async def started(pool, key, name, resource="train"):
    """A stage's task, once its process runs."""
    running = asyncio.Event()
    task = asyncio.create_task(pool.run(job(key, name, resource=resource), lambda _: running.set()))
    await running.wait()
    return task


def test_results_and_errors_come_back(tmp_path):
    async def work(pool):
        events = []
        result = await pool.run(job("k1", "double"), events.append)
        assert result.files == {"out": b"abab"}
        assert result.peak_memory_bytes > 2**20
        assert events[0]["started"]
        with pytest.raises(InputError, match="The file is empty"):
            await pool.run(job("k2", "refuse", b""), events.append)
        with pytest.raises(StageError, match="ZeroDivisionError") as caught:
            await pool.run(job("k3", "fail", b""), events.append)
        assert "Traceback" in caught.value.log

    with_pool(tmp_path, work)


def test_inputs_with_equal_file_names_are_kept_apart(tmp_path):
    async def work(pool):
        one, two = await asyncio.gather(
            pool.run(job("k1", "double", b"1", "light"), lambda _: None),
            pool.run(job("k2", "double", b"2", "light"), lambda _: None),
        )
        assert (one.files["out"], two.files["out"]) == (b"11", b"22")

    with_pool(tmp_path, work)


def test_a_failed_or_cancelled_stage_can_be_asked_for_again(tmp_path):
    async def work(pool):
        for _ in range(2):
            with pytest.raises(StageError, match="SIGSEGV"):
                await pool.run(job("k", "crash", b""), lambda _: None)
        task = await started(pool, "s", "spin")
        task.cancel()
        await asyncio.wait([task])
        again = await started(pool, "s", "spin")
        assert not again.done()
        again.cancel()
        result = await pool.run(job("k", "double", b"x"), lambda _: None)
        assert result.files == {"out": b"xx"}

    with_pool(tmp_path, work)


def test_a_benchmark_waits_until_nothing_runs_and_then_runs_alone(tmp_path):
    async def work(pool):
        training = await started(pool, "t", "spin")
        quiet = asyncio.create_task(pool.run(job("q", "double", b"x", "quiet"), lambda _: None))
        await asyncio.sleep(0.3)
        late = asyncio.create_task(pool.run(job("l", "double", b"x", "light"), lambda _: None))
        await asyncio.sleep(0.3)
        assert not quiet.done()
        assert not late.done(), "what comes later does not keep the benchmark waiting"
        training.cancel()
        assert (await quiet).files == {"out": b"xx"}
        assert (await late).files == {"out": b"xx"}

    with_pool(tmp_path, work)


def test_a_waiting_benchmark_can_be_cancelled(tmp_path):
    async def work(pool):
        training = await started(pool, "t", "spin")
        quiet = asyncio.create_task(pool.run(job("q", "double", b"x", "quiet"), lambda _: None))
        await asyncio.sleep(0.3)
        quiet.cancel()
        await asyncio.wait([quiet])
        light = await pool.run(job("l", "double", b"x", "light"), lambda _: None)
        assert light.files == {"out": b"xx"}
        training.cancel()

    with_pool(tmp_path, work)


def test_a_stage_takes_as_many_slots_as_its_memory_needs(tmp_path):
    async def work(pool):
        share = pool.crew.workers[0].memory_bytes // 2
        assert pool.crew.slots_for(0) == pool.crew.slots_for(share) == 1
        assert pool.crew.slots_for(share + 1) == 2
        with pytest.raises(StageError, match=r"is expected to need 64\.0 GiB of memory"):
            pool.crew.slots_for(64 * 2**30)
        small = await started(pool, "t", "spin")
        events = []
        large = asyncio.create_task(pool.run(job("w", "double", b"x", slots=2), events.append))
        await asyncio.sleep(0.5)
        assert not events, "it waits for both slots"
        small.cancel()
        assert (await large).files == {"out": b"xx"}

    with_pool(tmp_path, work, slots=2)


def test_a_stage_that_exceeds_its_share_gets_the_whole_machine(tmp_path):
    store = Store.open(tmp_path / "home")
    source = Source(store.files.write(b"ab"))
    stage = Stage("double", "tests.engine.stages:take_a_gibibyte", "Take", {}, {"file": source})

    async def work(pool):
        runner, events = StageRunner(store, pool), []
        await runner.run(stage, events.append)
        assert any("to have all 2 slots" in event.get("waiting", "") for event in events)
        assert store.artifacts.meta(stage.key)["peak_memory_bytes"] > 2**30
        greedy = Stage("hoard", "tests.engine.stages:hoard", "Hoard", {}, {"file": source})
        with pytest.raises(MemoryExceededError, match=r"more than its limit of 2\.4 GiB"):
            await runner.run(greedy, events.append)

    # A forked process begins with some 0.3 GiB in memory, and a slot has 1.2 GiB.
    with_pool(tmp_path, work, slots=2, memory_bytes=int(2.4 * 2**30))
    store.close()


def test_two_runs_that_want_the_same_stage_run_it_once(tmp_path):
    store = Store.open(tmp_path / "home")
    source = Source(store.files.write(b"ab"))
    stage = Stage("double", "tests.engine.stages:process_group", "Double", {}, {"file": source})

    async def work(pool):
        runner = StageRunner(store, pool)
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
        runner = StageRunner(store, pool)
        running = asyncio.Event()
        first = asyncio.create_task(runner.run(stage, lambda _: running.set()))
        second = asyncio.create_task(runner.run(stage, lambda _: None))
        await running.wait()
        first.cancel()
        await second
        assert runner.has(stage)

    with_pool(tmp_path, work)
    store.close()
