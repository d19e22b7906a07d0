"""The heat map: colours around the limit, texts, frames, what is clicked."""

import pytest

from optimizer.charts.heat_map import cell_text, heat_figure, heat_info, shade
from optimizer.recipe import Recipe
from tests.sensitivity.scans import layer, scan

WHOLE = scan(
    layer("first", {0.5: 0.0, 0.8: 0.123}, {4: 0.02, 16: 0.0005}, 0.0),
    layer("<last>", {0.5: -0.002, 0.8: 0.8}, None, None),
)


def test_colours_are_in_the_middle_at_the_limit_and_rise_everywhere():
    steps = [shade(lost, 1.0, 80.0) for lost in (-1, 0, 0.5, 1, 2, 10, 80)]
    assert steps == sorted(steps)
    assert (steps[1], steps[3], steps[-1]) == (0, 0.5, 1)


def test_every_cell_can_be_clicked_and_the_first_layer_is_on_top():
    info = heat_info(WHOLE, WHOLE.layers, None, 1.0)
    figure = heat_figure(info)
    clicked = {tuple(data) for data in figure.data[-1].customdata}
    assert len(clicked) == len(info.cells) == 7
    assert ("first", "prune", 0.8) in clicked
    assert max(cell.row for cell in info.cells if cell.layer == "first") == 1
    assert list(figure.layout.yaxis.ticktext) == ["&lt;last&gt;", "first"]
    assert list(figure.data[1].z[0]) == [None, None]


def test_what_the_recipe_sets_is_framed():
    recipe = Recipe.parse(
        {
            "prune": {},
            "quantize": {"mode": "int8", "aware": True},
            "layers": {"first": {"final_sparsity": 0.8, "quantize": False}},
        }
    )
    info = heat_info(WHOLE, WHOLE.layers, recipe, 1.0)
    chosen = {(cell.layer, cell.setting.label) for cell in info.cells if cell.chosen}
    assert chosen == {("first", "80 %"), ("first", "int8")}
    figure = heat_figure(info)
    assert "<b>first</b>" in figure.layout.yaxis.ticktext
    assert len(figure.layout.shapes) == 2


def test_texts_are_short_and_mark_noise():
    info = heat_info(WHOLE, WHOLE.layers, None, 1.0)
    texts = {(cell.layer, cell.setting.label): cell_text(cell) for cell in info.cells}
    assert texts[("first", "80 %")] == "12"
    assert texts[("first", "4")] == "2.0"
    assert texts[("first", "16")] == "~0.05"
    assert texts[("first", "50 %")] == "0"
    assert texts[("<last>", "50 %")] == "−0.2"


def test_one_technique_can_be_shown_alone():
    info = heat_info(WHOLE, WHOLE.layers, None, 1.0, ("cluster",))
    assert [setting.label for setting, _ in info.columns] == ["4", "16"]
    assert {cell.layer for cell in info.cells} == {"first"}


@pytest.mark.parametrize("value", [0.0, 0.0005])
def test_a_model_that_loses_nothing_has_a_map_too(value):
    calm = scan(layer("a", {0.5: value}))
    info = heat_info(calm, calm.layers, None, 1.0)
    assert heat_figure(info).data[0].z[0][0] <= 0.5
