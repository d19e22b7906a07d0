"""What is refused or warned of before a recipe runs."""

import pytest

from optimizer.feasible import cautions, objections
from optimizer.recipe import Recipe

ENDS = {"shape": [None, 4], "dtype": "float32"}


def facts(prune=None, cluster=None, quantize_aware=None, **changes):
    techniques = {"prune": prune, "cluster": cluster, "quantize_aware": quantize_aware}
    layers = [
        {"name": "dense", "parameters": 40, "techniques": techniques},
        {"name": "flat", "parameters": 0, "techniques": dict.fromkeys(techniques)},
    ]
    return {"inputs": [ENDS], "outputs": [ENDS], "layers": layers, **changes}


@pytest.mark.parametrize(
    ("recipe", "model", "words"),
    [
        ({"prune": {}}, facts(prune="no"), "can be pruned"),
        ({"cluster": {}}, facts(cluster="no"), "can be clustered"),
        ({"quantize": {"aware": True}}, facts(quantize_aware="no"), "Post-training int8"),
        ({"prune": {}, "layers": {"x": {"final_sparsity": 0.5}}}, facts(), "Those are: dense"),
    ],
)
def test_what_the_model_does_not_allow_is_said(recipe, model, words):
    (sentence,) = objections(Recipe.parse(recipe), model, "multiclass")
    assert words in sentence


@pytest.mark.parametrize("recipe", [{"prune": {}}, {"cluster": {}}, {"quantize": {"aware": True}}])
def test_nothing_trains_without_labels(recipe):
    (sentence,) = objections(Recipe.parse(recipe), facts(), "unlabelled")
    assert "no labels" in sentence
    after_training = Recipe.parse({"quantize": {"mode": "int8"}})
    assert objections(after_training, facts(), "unlabelled") == []


def bidirectional(gates):
    weights = [
        {"name": "forward/cell/kernel", "shape": [4, 8 * gates]},
        {"name": "forward/cell/recurrent_kernel", "shape": [8, 8 * gates]},
    ]
    return {"name": "both", "type": "Bidirectional", "parameters": 9, "weights": weights}


@pytest.mark.parametrize(
    ("layer", "refused"),
    [
        ({"name": "norm", "type": "LayerNormalization", "parameters": 8}, True),
        ({"name": "memory", "type": "LSTM", "parameters": 8}, True),
        ({"name": "loop", "type": "GRU", "parameters": 8}, False),
        (bidirectional(4), True),
        (bidirectional(3), False),
    ],
)
def test_int16_that_the_runtime_cannot_execute_is_refused(layer, refused):
    model = facts(layers=[{**layer, "techniques": {}}])
    assert objections(Recipe.parse({"quantize": {"mode": "int8"}}), model, "multiclass") == []
    found = objections(Recipe.parse({"quantize": {"mode": "int16x8"}}), model, "multiclass")
    assert [layer["name"] in sentence for sentence in found] == [True] * refused


def test_what_the_model_allows_is_not_objected_to():
    recipe = {"prune": {}, "cluster": {}, "quantize": {"aware": True}}
    recipe["layers"] = {"dense": {"final_sparsity": 0.5, "number_of_clusters": 4}}
    assert objections(Recipe.parse(recipe), facts(), "multiclass") == []


@pytest.mark.parametrize(
    ("recipe", "train", "words"),
    [
        ({"quantize": {"mode": "int8"}}, 100, ["all of them are used"]),
        ({"quantize": {"mode": "int8"}}, 5000, []),
        ({"prune": {}, "fine_tune": {"batch_size": 64, "epochs": 1}}, 100, ["2 training steps"]),
        ({"prune": {}}, 5000, []),
        ({"prune": {}}, None, []),
    ],
)
def test_what_is_probably_not_meant_is_said(recipe, train, words):
    found = cautions(Recipe.parse(recipe), {"train": train})
    assert len(found) == len(words)
    assert all(word in sentence for word, sentence in zip(words, found, strict=True))
