"""Settings of single layers as a table, and back into a recipe."""

from optimizer.layer_settings import misplaced, settable, setting_rows, settings_of, with_hidden

PRUNED = {"prune": {"structure": {"kind": "unstructured"}}, "cluster": None, "quantize": {}}
NARROWED = {"prune": {"structure": {"kind": "channels"}}, "cluster": None, "quantize": {}}
ALL = {**PRUNED, "cluster": {"number_of_clusters": 16}, "quantize": {"aware": True}}


def layer(name, parameters=40, **techniques):
    return {
        "name": name,
        "type": "Dense",
        "parameters": parameters,
        "techniques": {"prune": None, "channels": None, "cluster": None, "quantize_aware": None}
        | techniques,
    }


def test_only_what_the_recipe_does_can_be_set():
    assert settable(ALL) == ("final_sparsity", "number_of_clusters", "quantize")
    assert settable({**PRUNED, "prune": {"structure": {"kind": "n_m"}}}) == ()
    assert settable({**PRUNED, "prune": None}) == ()


def test_rows_and_back_give_the_same_settings():
    settings = {
        "a": {"final_sparsity": 0.57, "number_of_clusters": 4},
        "b": {"quantize": False},
    }
    rows = setting_rows(ALL, [layer("a"), layer("b"), layer("c")], settings)
    assert rows[0]["final_sparsity"] == 57
    assert settings_of(rows, settable(ALL)) == settings


def test_an_emptied_cell_sets_nothing():
    rows = [{"name": "a", "final_sparsity": float("nan"), "number_of_clusters": None}]
    assert settings_of(rows, ("final_sparsity", "number_of_clusters")) == {}


def test_layers_that_nothing_can_be_set_for_have_no_row():
    layers = [layer("last", channels="the output"), layer("flat", 0), layer("old")]
    del layers[2]["techniques"]["channels"]
    assert setting_rows(NARROWED, layers, {}) == []
    assert [row["name"] for row in setting_rows(PRUNED, layers, {})] == ["last", "old"]


def test_settings_of_another_model_are_named():
    rows = setting_rows(PRUNED, [layer("a")], {})
    settings = {
        "a": {"final_sparsity": 0.1},
        "x": {"final_sparsity": 0.1},
        "y": {"quantize": False},
    }
    assert misplaced(settings, rows, settable(PRUNED)) == ["x"]


def test_settings_that_are_not_shown_now_are_kept_for_later():
    earlier = {"a": {"final_sparsity": 0.1, "number_of_clusters": 4}, "b": {"final_sparsity": 0.2}}
    kept = with_hidden({"c": {"final_sparsity": 0.3}}, earlier, ("final_sparsity",))
    assert kept == {"a": {"number_of_clusters": 4}, "c": {"final_sparsity": 0.3}}
