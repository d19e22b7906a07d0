"""The table of the explorer: measures, names, filters."""

import numpy as np
import pytest

from tests.explore.building import STUDY, names, table
from tests.variants import results, variant


def test_the_table_has_a_number_or_nothing_for_each_measure():
    found = table()
    assert found.values["gzip"].tolist()[:3] == [180.0, 5.0, 10.0]
    assert np.isnan(found.values["gzip"][6])
    assert np.isnan(found.values["latency"][5])
    assert found.intervals["metric"][2] == pytest.approx([93.2, 96.2])
    assert found.names[4] == "liar (promise not kept)"


def test_the_baseline_is_its_own_measure():
    """A ratio to itself needs no measuring, and a budget for it must not exclude the baseline."""
    found = table()
    assert (found.values["ratio"][0], found.values["agreement"][0]) == (1.0, 100.0)


def test_variants_that_share_a_name_are_told_apart():
    twins = [variant("a", found=results()), variant("b", found=results())]
    twins = [type(v)(**{**v.__dict__, "name": "twin"}) for v in twins]
    assert table(twins).names == ("twin (1)", "twin (2)")


def test_filters_are_by_what_the_recipe_does_and_what_became_of_it():
    recipes = [
        {"prune": {}, "quantize": {"mode": "int8", "aware": True}},
        {"prune": {"structure": {"kind": "channels"}}, "cluster": {}},
        {"quantize": {"mode": "float16"}},
    ]
    kinds = [variant(f"v{n}", recipe, found=results()) for n, recipe in enumerate(recipes)]
    found = table([*kinds, STUDY[4], STUDY[6]])

    def kept(**chosen):
        return names(found, found.filtered(chosen))

    assert kept(quantization=["int8_qat", "float16"]) == ["v0", "v2"]
    assert kept(pruning=["channels"]) == ["v1"]
    assert kept(clustered=["no"], pruning=["unstructured"]) == ["v0"]
    assert kept(promises=["broken"]) == ["liar (promise not kept)"]
    assert kept(state=["queued"]) == ["waiting"]
    assert len(kept(quantization=[])) == len(kept()) == 5
