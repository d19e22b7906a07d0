"""The table of rules: what each looks at, what it rests on, what it counts."""

from __future__ import annotations

from optimizer.advise import documented as doc
from optimizer.advise import evidence as own
from optimizer.advise.case import IMPOSSIBLE, OUT, Case, Reason, Rule
from optimizer.advise.documents import (
    AWARE,
    CLUSTERING,
    CMSIS_NN,
    COMBINED,
    COUNTED,
    EDGE_TPU,
    ESTIMATED,
    EXPERIMENT,
    FLOAT16,
    GPU,
    INT16,
    INTEGER,
    MEASURED,
    MICRO,
    POST_TRAINING,
    PRUNING,
    SAMPLE,
    XNNPACK,
)
from optimizer.advise.savings import a_measured_one_is_smaller, a_measured_one_saves_as_much

_TARGET = (
    Rule(doc.gpu_computes_in_floats, FLOAT16, +3),
    Rule(doc.gpu_needs_no_integers, GPU, -3),
    Rule(doc.gpu_lists_no_sparse_encoding, GPU, OUT),
    Rule(doc.micro_refuses_mixed_types, MICRO, IMPOSSIBLE),
    Rule(doc.micro_reads_no_sparse_encoding, MICRO, IMPOSSIBLE),
    Rule(doc.micro_wants_int8, CMSIS_NN, +3),
    Rule(doc.micro_computes_floats_slowly, CMSIS_NN, -4),
    Rule(doc.npu_runs_8_bit_only, EDGE_TPU, IMPOSSIBLE),
    Rule(doc.npu_wants_int8, INTEGER, +3),
    Rule(doc.integer_ends_leave_no_float, INTEGER, +1),
    Rule(doc.cpu_runs_int8_fast, POST_TRAINING, +2),
    Rule(doc.cpu_runs_dynamic_range, POST_TRAINING, +1),
    Rule(doc.cpu_unpacks_float16, FLOAT16, -3),
    Rule(doc.int16_activations_are_slow, SAMPLE, -4),
)
"""What the target wants."""

_PRIORITY = (
    Rule(doc.float32_weights_are_large, COUNTED, -3),
    Rule(doc.eight_bits_quarter_the_file, POST_TRAINING, +2),
    Rule(doc.float16_halves_the_file, FLOAT16, +1),
    Rule(doc.float16_is_nearly_exact, FLOAT16, +2),
    Rule(doc.zeros_compress, PRUNING, +2),
    Rule(doc.shared_values_compress, CLUSTERING, +2),
    Rule(doc.together_they_compress_most, COMBINED, +1),
    Rule(doc.zeros_take_room_in_flash, SAMPLE, OUT),
    Rule(doc.shared_values_take_room_in_flash, CLUSTERING, OUT),
    Rule(doc.sparse_encoding_shrinks_the_file, EXPERIMENT, +2),
    Rule(doc.sparse_encoding_is_for_flash, EXPERIMENT, OUT),
    Rule(doc.taking_away_gains_no_accuracy, COUNTED, OUT),
    Rule(doc.zeros_do_not_speed_up, XNNPACK, OUT),
    Rule(doc.shared_values_do_not_speed_up, CLUSTERING, OUT),
    Rule(doc.weights_are_not_activations, COUNTED, OUT),
    Rule(doc.fewer_channels_are_less_of_everything, EXPERIMENT, +2),
    Rule(doc.fewer_channels_download_faster, EXPERIMENT, +1),
    Rule(doc.int8_activations_are_small, POST_TRAINING, +2),
    Rule(doc.aware_is_more_exact, AWARE, +2),
    Rule(doc.post_training_comes_first, AWARE, +1),
    Rule(doc.int16_activations_are_exact, INT16, +1),
    Rule(doc.half_zeros_are_a_gentle_start, PRUNING, 0),
)
"""What matters most, and how much may be lost."""

_MODEL = (
    Rule(own.most_parameters_can_be_pruned, COUNTED, +1),
    Rule(own.few_parameters_can_be_pruned, COUNTED, -3),
    Rule(own.most_parameters_can_be_clustered, COUNTED, +1),
    Rule(own.few_parameters_can_be_clustered, COUNTED, -3),
    Rule(own.most_layers_can_lose_channels, COUNTED, +1),
    Rule(own.few_layers_can_lose_channels, COUNTED, -2),
    Rule(own.dynamic_range_leaves_small_tensors, COUNTED, -2),
    Rule(own.aware_training_covers_all, COUNTED, 0),
    Rule(own.aware_training_leaves_layers_out, COUNTED, -1),
    Rule(own.training_is_short, COUNTED, -1),
)
"""What was counted in the model and its data."""

_VARIANTS = (
    Rule(own.mode_was_faster_here, MEASURED, +2),
    Rule(own.mode_was_not_faster_here, MEASURED, -4),
    Rule(own.quantization_alone_keeps_the_limit, MEASURED, +1),
    Rule(own.quantization_alone_breaks_the_limit, MEASURED, -3),
    Rule(own.aware_training_can_win_back, MEASURED, +2),
    Rule(own.aware_training_has_nothing_to_win, MEASURED, -2),
    Rule(own.int8_leaves_operators_in_float, MEASURED, -1),
    Rule(own.nothing_of_the_kind_was_measured, MEASURED, 0),
    Rule(own.same_kept_the_limit, MEASURED, +2),
    Rule(own.gentler_kept_the_limit, MEASURED, +2),
    Rule(own.harsher_broke_the_limit, MEASURED, +2),
    Rule(own.between_kept_and_broken, MEASURED, +2),
    Rule(own.layers_differ_in_sensitivity, MEASURED, +1),
    Rule(a_measured_one_saves_as_much, MEASURED, OUT),
    Rule(a_measured_one_is_smaller, ESTIMATED, OUT),
)
"""What was measured of the model's variants."""

RULES: tuple[Rule, ...] = (*_TARGET, *_PRIORITY, *_MODEL, *_VARIANTS)
"""Every rule. A recipe's rank is the sum of the points of those that say something about it."""


def against_target(case: Case) -> int:
    """What speaks against a recipe on its target: points of 0 or less."""
    return sum(rule.points for rule in _TARGET if rule.points < 0 and rule.judge(case))


def reasons(case: Case) -> list[Reason]:
    """What the rules say about a recipe, the weightiest first; none with a missing figure.

    Of equal weight what was measured or counted in the model comes before documentation.
    """
    found = [
        Reason(text, rule.source, rule.points, rule.name)
        for rule in RULES
        if (text := rule.judge(case)) is not None
    ]
    return sorted(found, key=lambda reason: (-abs(reason.points), bool(reason.source.url)))
