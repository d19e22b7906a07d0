"""The plan of the tensors is the one TensorFlow Lite for Microcontrollers makes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.deploy.arena import Buffer, place, plan_arena
from optimizer.measure.flatbuffer import parse

# "Arena allocation head" of tflite-micro 0.dev20261023182759, allocation recording, x86-64.
RECORDED = {
    "float32 baseline": 12288,
    "int8": 3072,
    "int16×8": 6144,
    "int8 QAT": 3072,
    "channels −50% MACs": 8192,
    "channels −50% MACs · int8": 2048,
}


@pytest.mark.parametrize("name", RECORDED)
def test_the_sample_files_need_what_the_runtime_recorded(sample_files, name):
    arena = plan_arena(parse(sample_files[name]))
    assert arena.size_bytes == RECORDED[name]


@pytest.mark.parametrize(("mode", "recorded"), [("float32", 49152), ("int8", 12288)])
def test_branches_that_live_long(residual, mode, recorded):
    arena = plan_arena(parse(residual[mode]))
    assert arena.size_bytes == recorded


buffers = st.lists(
    st.builds(
        lambda size, first, length: Buffer("t", 16 * size, first, first + length),
        st.integers(1, 60),
        st.integers(0, 9),
        st.integers(0, 4),
    ),
    max_size=25,
)


@given(buffers)
def test_nothing_that_is_needed_at_once_overlaps(wanted):
    placed = place(wanted)
    assert len(placed) == len(wanted)
    for number, one in enumerate(placed):
        for other in placed[number + 1 :]:
            apart_in_time = one.first > other.last or other.first > one.last
            assert apart_in_time or one.end <= other.offset or other.end <= one.offset
    at_once = [sum(b.size_bytes for b in wanted if b.first <= t <= b.last) for t in range(15)]
    assert max((b.end for b in placed), default=0) >= max(at_once)


def test_the_busiest_operator_is_where_most_is_in_use(sample_files):
    graph = parse(sample_files["float32 baseline"])[0]
    arena = plan_arena([graph])
    assert graph.operators[arena.busiest - 1].kind == "CONV_2D"
    in_use = [b for b in arena.buffers if b.first <= arena.busiest <= b.last]
    assert sum(b.size_bytes for b in in_use) == 4 * (8 * 8 * 16 + 8 * 8 * 32)
