"""Every rule of the table fires where it should and is silent where it should not."""

import re

import pytest

from optimizer.advise.case import OUT
from optimizer.advise.rules import RULES, reasons
from optimizer.bundled import ensure_sample_study
from optimizer.store import Store
from tests.advise.known import (
    ALL_THREE,
    AWARE,
    CHANNELS,
    CLUSTER,
    DYNAMIC,
    ENDS,
    FLOAT16,
    INT8,
    INT16,
    PRUNE,
    SPARSE,
    case,
    done,
    facts,
    layer,
    operators,
    situation,
    step,
    weights,
)

LOST = done("int8", INT8, 0.90)
KEPT = done("int8", INT8, 0.96)
FAST = {"ratio": 0.5, "significant": True}
SLOW = {"ratio": 1.3, "significant": True}
SAME = {"ratio": 0.99, "significant": False}
STIFF = facts(layer("big", techniques=()), layer("small", 400))
SMALL = situation(weights=weights(a=500, b=600, c=4000))
IN_FLOAT = situation(KEPT, operators={"int8": operators(SOFTMAX=1)})
ALL_INT = situation(KEPT, operators={"int8": operators()})
SCAN = situation(sensitivity={"layers": []})
BY_LAYER = {
    **PRUNE,
    "layers": {"big": {"final_sparsity": 0.9}, "small": {"final_sparsity": 0.3}},
}
FEW = situation(data_facts={"train": 40})

# Rule → a case that it concerns, and cases that it does not.
CASES = {
    "gpu_computes_in_floats": (
        case(FLOAT16, target="gpu"),
        case(FLOAT16),
        case(INT8, target="gpu"),
    ),
    "gpu_needs_no_integers": (case(INT8, target="gpu"), case(INT8), case(FLOAT16, target="gpu")),
    "gpu_lists_no_sparse_encoding": (
        case(SPARSE, target="gpu"),
        case(SPARSE),
        case(PRUNE, target="gpu"),
    ),
    "micro_refuses_mixed_types": (
        case(DYNAMIC, target="micro"),
        case(DYNAMIC),
        case(INT8, target="micro"),
    ),
    "micro_reads_no_sparse_encoding": (
        case(SPARSE, target="micro"),
        case(SPARSE),
        case(PRUNE, target="micro"),
    ),
    "micro_wants_int8": (case(INT8, target="micro"), case(INT8), case(INT16, target="micro")),
    "micro_computes_floats_slowly": (
        case(PRUNE, target="micro"),
        case(PRUNE),
        case(INT8, target="micro"),
    ),
    "npu_runs_8_bit_only": (case(FLOAT16, target="npu"), case(INT8, target="npu"), case(FLOAT16)),
    "npu_wants_int8": (case(INT8, target="npu"), case(INT8), case(INT16, target="npu")),
    "integer_ends_leave_no_float": (
        case(ENDS, target="micro"),
        case(ENDS),
        case(INT8, target="micro"),
    ),
    "cpu_runs_int8_fast": (
        case(INT8, priority="latency"),
        case(INT8, priority="latency", target="gpu"),
        case(INT8),
        case(DYNAMIC, priority="latency"),
    ),
    "cpu_runs_dynamic_range": (
        case(DYNAMIC, priority="latency"),
        case(INT8, priority="latency"),
        case(DYNAMIC),
    ),
    "eight_bits_quarter_the_file": (
        case(INT8),
        case(FLOAT16),
        case(INT8, priority="latency"),
    ),
    "cpu_unpacks_float16": (
        case(FLOAT16, priority="latency"),
        case(FLOAT16),
        case(FLOAT16, priority="latency", target="gpu"),
    ),
    "int16_activations_are_slow": (
        case(INT16),
        case(INT16, priority="accuracy"),
        case(INT16, target="micro"),
        case(INT8, priority="latency"),
    ),
    "float32_weights_are_large": (case(PRUNE), case(FLOAT16), case(PRUNE, priority="latency")),
    "float16_halves_the_file": (case(FLOAT16), case(INT8), case(FLOAT16, priority="latency")),
    "float16_is_nearly_exact": (
        case(FLOAT16, priority="accuracy"),
        case(FLOAT16),
        case(INT8, priority="accuracy"),
    ),
    "zeros_compress": (case(PRUNE), case(CHANNELS), case(PRUNE, priority="flash")),
    "shared_values_compress": (case(CLUSTER), case(INT8), case(CLUSTER, priority="latency")),
    "together_they_compress_most": (
        case(ALL_THREE),
        case({**PRUNE, **AWARE}),
        case(ALL_THREE, priority="flash"),
    ),
    "zeros_take_room_in_flash": (
        case(PRUNE, priority="flash"),
        case(SPARSE, priority="flash"),
        case(CHANNELS, priority="flash"),
        case(PRUNE),
    ),
    "shared_values_take_room_in_flash": (
        case(CLUSTER, priority="flash"),
        case(CLUSTER),
        case(INT8, priority="flash"),
    ),
    "sparse_encoding_shrinks_the_file": (
        case(SPARSE, priority="flash"),
        case(PRUNE, priority="flash"),
        case(SPARSE),
    ),
    "sparse_encoding_is_for_flash": (case(SPARSE), case(SPARSE, priority="flash"), case(PRUNE)),
    "taking_away_gains_no_accuracy": (
        case(CHANNELS, priority="accuracy"),
        case(CHANNELS),
        case(AWARE, priority="accuracy"),
    ),
    "zeros_do_not_speed_up": (
        case(PRUNE, priority="latency"),
        case(PRUNE),
        case(CHANNELS, priority="latency"),
    ),
    "shared_values_do_not_speed_up": (
        case(CLUSTER, priority="latency"),
        case(CLUSTER),
        case(INT8, priority="latency"),
    ),
    "weights_are_not_activations": (
        case(PRUNE, priority="memory"),
        case(PRUNE),
        case(CHANNELS, priority="memory"),
    ),
    "fewer_channels_are_less_of_everything": (
        case(CHANNELS, priority="latency"),
        case(CHANNELS),
        case(PRUNE, priority="latency"),
    ),
    "fewer_channels_download_faster": (case(CHANNELS), case(PRUNE)),
    "int8_activations_are_small": (
        case(INT8, priority="memory"),
        case(INT8),
        case(DYNAMIC, priority="memory"),
    ),
    "aware_is_more_exact": (
        case(AWARE, priority="accuracy"),
        case(AWARE),
        case(INT8, priority="accuracy"),
    ),
    "post_training_comes_first": (case(INT8), case(AWARE), case({})),
    "int16_activations_are_exact": (
        case(INT16, priority="accuracy"),
        case(INT16),
        case(INT8, priority="accuracy"),
    ),
    "half_zeros_are_a_gentle_start": (
        case(PRUNE, step=step("start")),
        case(PRUNE),
        case(CHANNELS, step=step("start")),
    ),
    "most_parameters_can_be_pruned": (
        case(PRUNE),
        case(CLUSTER),
        case(PRUNE, known=situation(model=STIFF)),
        case(PRUNE, known=situation(model={"layers": []})),
    ),
    "few_parameters_can_be_pruned": (
        case(PRUNE, known=situation(model=STIFF)),
        case(PRUNE),
        case(PRUNE, known=situation(model={"layers": []})),
    ),
    "most_parameters_can_be_clustered": (
        case(CLUSTER),
        case(PRUNE),
        case(CLUSTER, known=situation(model=STIFF)),
    ),
    "few_parameters_can_be_clustered": (
        case(CLUSTER, known=situation(model=STIFF)),
        case(CLUSTER),
        case(PRUNE, known=situation(model=STIFF)),
    ),
    "most_layers_can_lose_channels": (
        case(CHANNELS),
        case(PRUNE),
        case(CHANNELS, known=situation(model=facts(layer("a", techniques=())))),
    ),
    "few_layers_can_lose_channels": (
        case(CHANNELS, known=situation(model=facts(layer("a", techniques=())))),
        case(CHANNELS),
    ),
    "dynamic_range_leaves_small_tensors": (
        case(DYNAMIC, known=SMALL),
        case(INT8, known=SMALL),
        case(DYNAMIC),
        case(DYNAMIC, known=situation(weights=())),
    ),
    "aware_training_covers_all": (
        case(AWARE),
        case(INT8),
        case(AWARE, known=situation(model=STIFF)),
    ),
    "aware_training_leaves_layers_out": (
        case(AWARE, known=situation(model=STIFF)),
        case(AWARE),
        case(INT8, known=situation(model=STIFF)),
    ),
    "training_is_short": (case(PRUNE, known=FEW), case(PRUNE), case(INT8, known=FEW)),
    "mode_was_faster_here": (
        case(INT8, done("int8", INT8, latency=FAST), priority="latency"),
        case(INT8, done("int8", INT8, latency=FAST), priority="latency", target="gpu"),
        case(INT8, done("int8", INT8, latency=SLOW), priority="latency"),
        case(INT8, priority="latency"),
    ),
    "mode_was_not_faster_here": (
        case(INT8, done("int8", INT8, latency=SAME), priority="latency"),
        case(INT8, done("int8", INT8, latency=FAST), priority="latency"),
        case(INT8, done("int8", INT8, latency=SLOW)),
    ),
    "quantization_alone_keeps_the_limit": (
        case({**PRUNE, **INT8}, KEPT),
        case({**PRUNE, **INT8}, LOST),
        case({**PRUNE, **AWARE}, KEPT),
        case({**PRUNE, **INT8}),
    ),
    "quantization_alone_breaks_the_limit": (
        case({**PRUNE, **INT8}, LOST),
        case({**PRUNE, **INT8}, KEPT),
        case({**PRUNE, **INT8}, done("int8", INT8, None)),
    ),
    "aware_training_can_win_back": (case(AWARE, LOST), case(AWARE, KEPT), case(INT8, LOST)),
    "aware_training_has_nothing_to_win": (
        case(AWARE, KEPT),
        case(AWARE, LOST),
        case({**PRUNE, **AWARE}, KEPT),
        case(AWARE),
    ),
    "int8_leaves_operators_in_float": (
        case(ENDS, known=IN_FLOAT, target="npu"),
        case(ENDS, known=ALL_INT, target="npu"),
        case(ENDS, known=IN_FLOAT),
        case(ENDS, KEPT, target="npu"),
    ),
    "nothing_of_the_kind_was_measured": (
        case(PRUNE, step=step("start")),
        case(PRUNE, step=step("harsher", KEPT)),
        case(INT8, step=step("start")),
    ),
    "same_kept_the_limit": (
        case(ENDS, KEPT, step=step("same", KEPT)),
        case(ENDS, step=step("start")),
        case(ENDS),
    ),
    "gentler_kept_the_limit": (
        case(PRUNE, step=step("harsher", KEPT)),
        case(PRUNE, step=step("between", KEPT, LOST)),
        case(PRUNE),
    ),
    "harsher_broke_the_limit": (
        case(PRUNE, step=step("gentler", None, LOST)),
        case(PRUNE, step=step("between", KEPT, LOST)),
        case(PRUNE),
    ),
    "between_kept_and_broken": (
        case(PRUNE, step=step("between", KEPT, LOST)),
        case(PRUNE, step=step("harsher", KEPT)),
        case(PRUNE),
    ),
    "layers_differ_in_sensitivity": (
        case(BY_LAYER, known=SCAN),
        case(BY_LAYER),
        case(PRUNE, known=SCAN),
    ),
    "a_measured_one_saves_as_much": (
        case(CLUSTER, done("both", ALL_THREE)),
        case(CLUSTER, done("both", ALL_THREE, 0.90)),
        case(ALL_THREE, done("cluster", CLUSTER)),
        case(CLUSTER, done("both", ALL_THREE), target="micro"),
    ),
    "a_measured_one_is_smaller": (
        case(FLOAT16, done("tiny", INT8, gzip_bytes=1000)),
        case(FLOAT16, done("huge", INT8, gzip_bytes=10**7)),
        case(FLOAT16, done("tiny", INT8, 0.5, gzip_bytes=1000)),
        case(FLOAT16, known=situation(done("tiny", INT8, gzip_bytes=1000), weights=())),
    ),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_fires_where_it_should_and_only_there(rule):
    fires, *silent = CASES[rule.name]
    sentence = rule.judge(fires)
    assert sentence
    assert sentence.endswith((".", "%"))
    assert [rule.judge(other) for other in silent] == [None] * len(silent)
    assert len(silent) >= 1


def test_the_table_has_each_rule_once_with_a_sentence_and_a_source():
    names = [rule.name for rule in RULES]
    assert sorted(names) == sorted(CASES)
    for rule in RULES:
        assert rule.text.endswith(".")
        assert rule.source.title
        assert rule.source.url == "" or rule.source.url.startswith("https://")


def test_a_rule_says_nothing_where_nothing_is_known():
    """An empty study of a model without facts: only documentation and the data speak."""
    bare = situation(model={"layers": []}, weights=(), data_facts={})
    for recipe in (INT8, AWARE, ALL_THREE, CHANNELS, DYNAMIC):
        for reason in reasons(case(recipe, known=bare)):
            if not reason.source.url:
                assert not re.search(r"\d+ %|kB|“", reason.text), reason


def test_every_figure_measured_is_one_of_the_inputs():
    """Reasons about variants name one of them, and its loss as the study has it."""
    known = situation(done("int8", INT8, 0.93), done("prune", PRUNE, 0.955))
    judged = case({**PRUNE, **INT8}, known=known, step=step("harsher", known.variants[2]))
    texts = " ".join(r.text for r in reasons(judged) if r.source.title == "Measured on this model")
    assert "“int8” alone loses 3 points" in texts
    assert "“prune” loses 0.5 points" in texts
    assert set(re.findall("“(.+?)”", texts)) <= {"int8", "prune"}


def test_int16_is_as_slow_in_the_sample_study_as_is_said(tmp_path):
    store = Store.open(tmp_path)
    ensure_sample_study(store)
    found = {v.name: v.results for v in store.list_variants(store.list_studies()[0].id)}
    assert found["int16×8"]["latency_ms"]["ratio"] > 20


def test_what_is_not_advised_outweighs_everything_else():
    assert sum(rule.points for rule in RULES if rule.points > 0) < -OUT
