"""Each sentence of a report is true for the study it is about."""

import json
from dataclasses import replace

import pytest

from optimizer.command_files import write_results
from optimizer.errors import InputError
from optimizer.measured import measured
from optimizer.recipe import Recipe
from optimizer.report.content import MOST_ALTERNATIVES, Choices, compose
from optimizer.report.figures import charts, facts
from optimizer.report.how import measured_how
from optimizer.report.plain import distinct_words, in_plain_words, layer_words
from optimizer.report.source import from_folder
from optimizer.report.terms import glossary
from optimizer.report.words import answer, limits, meaning
from tests.report.conftest import made_of
from tests.variants import baseline, results, variant


def test_the_answer_has_the_measured_figures_and_the_interval(sample):
    choice = sample.named("prune 80% · cluster 8 · int8 QAT")
    assert answer(choice, sample.baseline) == (
        "Use the variant “prune 80% · cluster 8 · int8 QAT”: its download is 14.5 kB instead of "
        "209.3 kB (14.5× smaller), its accuracy is 98.67 % (95 % interval 97.12 % to 99.39 %, from "
        "450 test samples) instead of 99.56 % (−0.89 points), and one prediction takes 2.9 µs "
        "instead of 8.01 µs on the computer that measured it (2.90× faster)."
    )


def test_a_difference_within_the_interval_may_be_chance():
    small = variant("small", found=results(value=0.955))
    assert "may be chance" in answer(small, baseline())
    worse = variant("worse", found=results(value=0.8))
    assert "may be chance" not in answer(worse, baseline())


@pytest.mark.parametrize(
    ("latency", "words"),
    [
        ({"ratio": 0.5}, "(2.00× faster)"),
        ({"ratio": 1.5}, "(1.50× slower)"),
        ({"ratio": 0.98, "significant": False}, "(no significant difference)"),
        ({"p50": None}, "its speed was not measured"),
    ],
)
def test_speed_is_said_as_it_was_measured(latency, words):
    assert words in answer(variant("v", found=results(latency=latency)), baseline())


def test_an_error_has_no_points():
    base = baseline(metric="mae", value=0.2)
    text = answer(variant("v", found=results(metric="mae", value=0.25)), base)
    assert "mean absolute error is 0.25 (95 % interval" in text
    assert "instead of 0.2 (+0.05: an error 25 % larger)" in text
    assert "points" not in text


def test_without_labels_there_is_agreement_only():
    base = baseline(value=None, agreement=1.0)
    choice = variant("v", found=results(value=None, agreement=0.975))
    assert "the same as before for 97.50 % of the samples" in answer(choice, base)
    said = limits(made_of(base, choice), choice)
    assert any("no labels" in text for text in said)


def test_the_baseline_can_be_the_answer(sample):
    content = compose(sample, Choices(choice=sample.baseline.id))
    assert content.answer.startswith("Keep the model as it is")
    assert "instead of" not in content.answer
    assert content.beside.heads[1] == "float32 baseline (our choice)"


def test_limits_say_how_the_choice_was_made(sample):
    said = limits(sample, sample.named("int8"))
    assert any("chosen among 16 variants by the same test samples" in text for text in said)
    searched = replace(sample, search={"winner": {"name": "int8"}})
    said = limits(searched, sample.named("int8"))
    assert any("confirmed it on the other half" in text for text in said)
    assert not any("by the same test samples" in text for text in said)


@pytest.mark.parametrize(
    ("recipe", "value", "is_said"),
    [
        ({"cluster": {"number_of_clusters": 16}}, 0.99, True),
        ({"cluster": {"number_of_clusters": 16}}, 0.965, False),
        ({"quantize": {"mode": "float16"}}, 0.99, False),
    ],
)
def test_further_training_may_be_why_a_variant_is_better(recipe, value, is_said):
    base, choice = baseline(), variant("v", recipe, found=results(value=value))
    said = any("trained it further" in text for text in limits(made_of(base, choice), choice))
    assert said == is_said


def test_a_broken_promise_is_a_limit():
    broken = {"promise": "80 % zeros", "kept": False, "found": "70 % zeros"}
    choice = variant("v", found=results(promises=[broken]))
    assert any("70 % zeros" in text for text in limits(made_of(baseline(), choice), choice))


def test_alternatives_are_others_and_can_be_chosen(sample):
    content = compose(sample)
    names = [one.name for one in content.alternatives]
    assert content.choice.name not in names
    assert 1 <= len(names) <= MOST_ALTERNATIVES
    int8 = sample.named("int8")
    chosen = compose(sample, Choices(alternatives=(int8.id, sample.baseline.id)))
    assert [one.name for one in chosen.alternatives] == ["int8"]
    assert chosen.beside.heads[-1] == "int8"


def test_too_many_or_unknown_variants_are_refused(sample):
    ids = tuple(one.id for one in sample.variants[: MOST_ALTERNATIVES + 1])
    with pytest.raises(InputError, match="At most 6"):
        compose(sample, Choices(alternatives=ids))
    with pytest.raises(InputError, match="no results in this study"):
        compose(sample, Choices(choice="gone"))


def test_layers_say_what_happened_to_each(sample):
    layers = compose(sample, Choices(choice=sample.named("prune 80% · int8 QAT").id)).layers
    row = next(row for row in layers.rows if row[0] == "dense_1")
    assert row[1] == "dense layer"
    assert row[2].startswith("float32 → int8; 80 % of its weights became zero")
    assert "163.8 kB → 41.0 kB" in row[2]


def test_a_layer_that_is_as_before_is_unchanged():
    layer = {"shape": [2, 2], "dtype": "int8", "sparsity": 0.0, "distinct": 4, "bytes": 4}
    assert layer_words(layer, dict(layer)) == "unchanged"
    narrowed = layer_words(layer, {**layer, "shape": [1, 2], "bytes": 2})
    assert narrowed == "narrowed from 2 × 2 to 1 × 2; 4 B → 2 B"


def test_distinct_values_are_said_where_they_were_asked_for():
    before = {"shape": [9, 9], "dtype": "float32", "sparsity": 0.0, "distinct": 81, "bytes": 324}
    after = {**before, "distinct": 8}
    assert layer_words(before, after) == "unchanged"
    assert layer_words(before, after, clusters=8) == "8 distinct values left"


def test_plain_words_cover_every_part():
    schedule = {"kind": "polynomial", "final_sparsity": 0.8}
    parts = {
        "prune": {"schedule": schedule},
        "cluster": {},
        "quantize": {"mode": "int8", "aware": True},
    }
    words = in_plain_words(Recipe.parse(parts))
    assert words.startswith("80 % of its weights set to zero")
    assert "distinct values" in words
    assert "8-bit" in words
    assert in_plain_words(Recipe()) == "nothing changed"


def test_each_chart_says_what_it_shows(sample):
    content = compose(sample)
    size, _, latency = (chart.caption for chart in charts(content))
    assert "The smallest download: “prune 80% · cluster 8 · int8 QAT” (14.5 kB, accuracy" in size
    assert size.endswith("Our choice is on the line.")
    assert "The shortest time: “channels −50% MACs · int8” (2.3 µs, accuracy 98.67 %)" in latency
    assert "not on this line" in latency or "same time" in latency


def test_it_says_whether_the_test_samples_may_have_been_trained_on(sample):
    choice = sample.variants[1]
    assert "is not known here" in " ".join(limits(sample, choice))
    split = {"test_share": 0.2, "stratified": True, "seed": 3}
    own = replace(sample, dataset={**sample.dataset, "split": split})
    assert "were split off here" in " ".join(limits(own, choice))
    assert "with seed 3" in dict(measured_how(own, measured(choice), []))["Samples"]


def test_the_glossary_explains_what_occurs_only():
    terms = [term for term, _ in glossary("int8 is smaller; accuracy 99 %")]
    assert any("int8" in term for term in terms)
    assert "Accuracy" in terms
    assert not any("Clustering" in term for term in terms)


def test_the_script_knows_what_each_variant_lost(sample):
    known = facts(compose(sample))
    by_name = {one["name"]: one for one in known["variants"]}
    assert by_name["float32 baseline"]["loss"] == 0
    assert by_name["prune 80% · cluster 8 · int8 QAT"]["loss"] == pytest.approx(0.889, abs=1e-3)
    assert known["unit"] == "points"
    json.dumps(known, allow_nan=False)


def test_a_folder_says_the_same_as_the_store(sample_store, sample, tmp_path):
    study = sample_store.list_studies()[0]
    variants = [
        one for one in sample_store.list_variants(study.id) if one.name in ("int8", "prune 80%")
    ]
    base = sample_store.baseline(study.id)
    write_results(sample_store, study, [base, *variants], tmp_path, {})
    folder = from_folder(tmp_path)
    there, here = folder.named("int8"), sample.named("int8")
    assert answer(there, folder.baseline) == answer(here, sample.baseline)
    one, other = (
        compose(source, Choices(choice=source.named("int8").id, alternatives=()))
        for source in (folder, sample)
    )
    assert one.layers == other.layers
    assert dict(one.how) == dict(other.how)
    assert one.estimates == other.estimates


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "Cannot read"),
        ("{", "not valid JSON"),
        ("[]", "not a results.json"),
        ('{"schema": 9, "model": {}, "dataset": {}, "variants": []}', "schema 1"),
        ('{"schema": 1, "model": {}, "dataset": {}, "variants": []}', "nothing to report"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(tmp_path, content, words):
    if content is not None:
        (tmp_path / "results.json").write_text(content)
    with pytest.raises(InputError, match=words):
        from_folder(tmp_path)


def test_files_outside_the_folder_are_not_read(tmp_path, sample_store):
    study = sample_store.list_studies()[0]
    folder = tmp_path / "out"
    folder.mkdir()
    write_results(sample_store, study, [sample_store.baseline(study.id)], folder, {})
    (folder / "float32-baseline.tflite").rename(tmp_path / "secret.tflite")
    results_file = folder / "results.json"
    results_file.write_text(
        results_file.read_text().replace("float32-baseline.tflite", "../secret.tflite")
    )
    source = from_folder(folder)
    assert source.footprint_of(source.baseline) is None


def test_clusters_that_a_folded_normalization_stretched_are_counted_per_channel():
    layer = {"dtype": "float32", "distinct": 76, "distinct_per_channel": 9, "per_channel": False}
    assert distinct_words(layer, 16) == "9 per channel"
    assert distinct_words(layer, None) == "76"


def test_layers_that_an_int8_file_leaves_in_float_are_named():
    aware = variant("v", {"quantize": {"mode": "int8", "aware": True}})
    layers = [{"name": "conv", "dtype": "float32"}, {"name": "dense", "dtype": "int8"}]
    assert meaning(aware, layers).endswith("Still in floating point: conv.")
    assert "floating point" not in meaning(aware, layers[1:])
    assert "floating point" not in meaning(variant("w", {"quantize": {"mode": "dynamic"}}), layers)
