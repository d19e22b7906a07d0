import pytest

from optimizer.presets import PRESETS, explain
from optimizer.recipe import Recipe


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_has_a_reason_and_is_explained(name):
    preset = PRESETS[name]
    assert len(preset.reason) > 30
    steps = " ".join(explain(preset.recipe))
    removes = preset.recipe.prune is not None and preset.recipe.prune.structure.kind == "channels"
    assert ("Remove filters and units" in steps) == removes
    assert ("Prune" in steps) == (preset.recipe.prune is not None and not removes)
    assert ("quantization-aware" in steps) == preset.recipe.quantize.aware
    assert "Measure" in steps


def test_an_explanation_says_what_is_kept():
    recipe = Recipe.parse({"prune": {}, "cluster": {}, "quantize": {"aware": True}})
    steps = explain(recipe)
    assert "80 % zeros" in steps[0]
    assert "keeping the zeros" in steps[1]
    assert "keeping the zeros and clusters" in steps[2]
