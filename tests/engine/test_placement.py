"""The queue before the workers: no worker, no process, only who gets which place and when."""

import asyncio

from optimizer.engine.cluster import WorkerFacts
from optimizer.engine.placement import Placement

ONE = WorkerFacts("one", slots=2, benchmark=True, usable=True)
TWO = WorkerFacts("two", slots=2, benchmark=False, usable=True)


def scenario(work):
    asyncio.run(asyncio.wait_for(work(Placement()), 5))


async def asked(placement, resource="train", slots=1, priority=0):
    """A stage that has asked for a place; the place comes when its task is done."""
    task = asyncio.create_task(placement.acquire(resource, slots, priority))
    for _ in range(3):
        await asyncio.sleep(0)
    return task


def test_stages_go_where_most_room_is():
    async def work(placement):
        placement.update([ONE, TWO])
        places = [await placement.acquire("train", 1, 0) for _ in range(4)]
        assert sorted(place.address for place in places) == ["one", "one", "two", "two"]
        assert {place.address for place in places[:2]} == {"one", "two"}
        late = await asked(placement)
        assert not late.done()
        assert placement.waiting == 1
        placement.release(places[0], "train", 1)
        assert (await late).address == places[0].address

    scenario(work)


def test_the_highest_priority_goes_first_and_equals_in_their_order():
    async def work(placement):
        low, first, second = [await asked(placement, priority=p) for p in (0, 1, 1)]
        placement.update([WorkerFacts("w", 1, False, True)])
        for task, others in ((first, (second, low)), (second, (low,)), (low, ())):
            place = await task
            assert not any(other.done() for other in others)
            placement.release(place, "train", 1)

    scenario(work)


def test_a_wide_stage_is_not_overtaken_for_ever():
    async def work(placement):
        placement.update([TWO])
        running = await placement.acquire("train", 1, 0)
        wide = await asked(placement, slots=2)
        narrow = await asked(placement)
        assert not wide.done()
        assert not narrow.done()
        placement.release(running, "train", 1)
        placement.release(await wide, "train", 2)
        await narrow

    scenario(work)


def test_a_benchmark_goes_to_a_labelled_worker_and_nothing_new_begins_there():
    async def work(placement):
        placement.update([TWO])
        quiet = await asked(placement, "quiet")
        assert not quiet.done()
        placement.update([ONE, TWO])
        place = await quiet
        assert place.address == "one"
        others = [await placement.acquire("train", 1, 0) for _ in range(2)]
        assert [other.address for other in others] == ["two", "two"]
        waiting = await asked(placement)
        light = await placement.acquire("light", 1, 0)
        assert light.address == "two"
        assert not waiting.done()
        placement.release(place, "quiet", 1)
        assert (await waiting).address == "one"

    scenario(work)


def test_who_runs_on_a_lost_worker_is_told_and_its_room_is_gone():
    async def work(placement):
        placement.update([ONE])
        place = await placement.acquire("train", 2, 0)
        placement.update([TWO])
        await place.lost
        placement.release(place, "train", 2)
        assert (await placement.acquire("train", 2, 0)).address == "two"
        placement.update([ONE, TWO])
        assert (await placement.acquire("train", 2, 0)).address == "one"

    scenario(work)


def test_who_gives_up_waiting_takes_no_room():
    async def work(placement):
        placement.update([TWO])
        held = await placement.acquire("train", 2, 0)
        gone, other = await asked(placement, slots=2), await asked(placement)
        gone.cancel()
        placement.release(held, "train", 2)
        placement.release(await other, "train", 1)
        held = await placement.acquire("train", 2, 0)
        late = await asked(placement)
        placement.release(held, "train", 2)
        late.cancel()  # in the same moment in which it got its place
        await asyncio.wait([gone, late])
        assert late.cancelled()
        await placement.acquire("train", 2, 0)

    scenario(work)


def test_a_worker_of_another_build_gets_nothing():
    async def work(placement):
        placement.update([WorkerFacts("other", 4, True, usable=False)])
        assert not (await asked(placement)).done()

    scenario(work)
