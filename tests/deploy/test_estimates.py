"""Estimates are kept with results and offered as measures that say what they are."""

import pytest

from optimizer.charts.deploy import arena_figure, boards_figure, energy_figure, energy_info
from optimizer.comparison import study_metric
from optimizer.deploy.boards import BOARDS
from optimizer.deploy.energy import energy
from optimizer.deploy.fit import estimates, fit, footprint
from optimizer.explore.budgets import budget
from optimizer.explore.rows import explorer_rows
from optimizer.explore.side_by_side import side_by_side
from optimizer.explore.table import explore_table
from optimizer.measures import measures
from tests.variants import baseline, results, variant


@pytest.fixture
def variants(sample_files):
    kept = {name: estimates(sample_files[name]) for name in ("float32 baseline", "int8")}
    return [
        baseline(estimates=kept["float32 baseline"]),
        variant("small", found=results(estimates=kept["int8"])),
        variant("old", found=results(gzip_bytes=30_000)),
    ]


def test_the_estimates_of_a_file(sample_files):
    found = estimates(sample_files["int8"])
    assert found["ram_bytes"] == footprint(sample_files["int8"]).ram_bytes
    assert found["energy_uj"] == pytest.approx(0.875, abs=0.001)
    assert found["flash_bytes"] > len(sample_files["int8"])


def test_measures_say_that_they_are_estimates(variants):
    known = measures(variants, study_metric(variants))
    for key in ("energy", "ram"):
        assert "estimate" in known[key].label
        assert "estimate" in known[key].title
    assert "energy" not in measures(variants[2:], "accuracy")


def test_the_explorer_takes_them(variants):
    table = explore_table(variants)
    beside = side_by_side(table, [0, 1, 2]).set_index("Measure")
    assert beside.loc["Energy of one inference, an estimate", "small"].endswith("5.88× less")
    assert beside.loc["Energy of one inference, an estimate", "old"] == "not measured"
    offered = budget(table, "energy")
    assert offered.show(offered.options[-1]).endswith("µJ")
    rows = explorer_rows(table, [0, 1, 2], {}, {})
    assert "Energy (estimate) (µJ)" in rows.formats


def test_bars_are_drawn_least_first_with_the_selected_one(sample_files):
    counted = [(name, energy(footprint(data).work, "sram")) for name, data in sample_files.items()]
    info = energy_info(counted, "float32 baseline", limit=3)
    assert info.names[0] == "channels −50% MACs · int8"
    assert info.names[-1] == "float32 baseline"
    assert info.left_out == 12
    assert energy_figure(info).data[0].name == "Arithmetic"


def test_charts_hold_what_they_say(sample_files):
    needed = footprint(sample_files["float32 baseline"])
    drawn = boards_figure([(board.name, fit(needed, board)) for board in BOARDS])
    assert list(drawn.data[0].y) == [board.name for board in BOARDS]
    figure = arena_figure(needed.arena, needed.sequence)
    assert len(figure.layout.shapes) == len(needed.arena.buffers)
