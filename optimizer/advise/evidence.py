"""Rules that rest on this model: what was counted in it and measured of its variants.

Each looks at a case and says its sentence with its figures, or nothing where a figure is missing.
"""

from __future__ import annotations

from collections.abc import Sequence

from optimizer.advise.case import Case
from optimizer.advise.situation import Situation, clearly_differs
from optimizer.advise.wish import amount_text, loss_text
from optimizer.feasible import cautions
from optimizer.format import format_times
from optimizer.measured import measured
from optimizer.store.records import Variant

MANY, FEW = 0.5, 0.25
"""Shares of the parameters that are most of them, and only some."""
_SMALL_TENSOR = 1024
"""Values below which dynamic range leaves a tensor in float32."""
_MOST_NAMES = 3


def most_parameters_can_be_pruned(case: Case) -> str | None:
    """Zeros pay where most parameters are in layers that can be pruned."""
    return _share(case.situation, "prune", "pruned", above=MANY) if case.zeros else None


def few_parameters_can_be_pruned(case: Case) -> str | None:
    """Zeros gain little where few parameters are in layers that can be pruned."""
    return _share(case.situation, "prune", "pruned", below=FEW) if case.zeros else None


def most_parameters_can_be_clustered(case: Case) -> str | None:
    """Shared values pay where most parameters are in layers that can be clustered."""
    return _share(case.situation, "cluster", "clustered", above=MANY) if case.clusters else None


def few_parameters_can_be_clustered(case: Case) -> str | None:
    """Shared values gain little where few parameters are in layers that can be clustered."""
    return _share(case.situation, "cluster", "clustered", below=FEW) if case.clusters else None


def most_layers_can_lose_channels(case: Case) -> str | None:
    """Removing channels pays where most layers with weights can be narrowed."""
    able, total = case.situation.able("channels"), len(case.situation.layers_with_weights)
    if case.narrows and total and len(able) >= MANY * total:
        return f"{len(able)} of this model's {total} layers with weights can lose channels."
    return None


def few_layers_can_lose_channels(case: Case) -> str | None:
    """Removing channels gains little where few layers with weights can be narrowed."""
    able, total = case.situation.able("channels"), len(case.situation.layers_with_weights)
    if case.narrows and total and len(able) < MANY * total:
        return f"Only {len(able)} of this model's {total} layers with weights can lose channels."
    return None


def dynamic_range_leaves_small_tensors(case: Case) -> str | None:
    """Dynamic range leaves tensors of fewer than 1,024 values in float32."""
    weights = case.situation.weights
    small = [weight for weight in weights if weight.values < _SMALL_TENSOR]
    total = sum(weight.size_bytes for weight in weights)
    share = sum(weight.size_bytes for weight in small) / total if total else 0.0
    if case.mode == "dynamic" and share > 0.1:
        return (
            f"{len(small)} of {len(weights)} weight tensors, {100 * share:.0f} % of the weights' "
            "bytes, have fewer than 1,024 values each, which dynamic range leaves in float32."
        )
    return None


def aware_training_covers_all(case: Case) -> str | None:
    """Quantization-aware training pays where it covers every layer with weights."""
    able, total = case.situation.able("quantize_aware"), case.situation.layers_with_weights
    if case.aware and total and len(able) == len(total):
        return f"Quantization-aware training covers all {len(total)} layers with weights."
    return None


def aware_training_leaves_layers_out(case: Case) -> str | None:
    """Layers that quantization-aware training leaves out are not trained for int8."""
    able = set(case.situation.able("quantize_aware"))
    known = [layer["name"] for layer in case.situation.layers_with_weights]
    left = [name for name in known if name not in able]
    if case.aware and able and left:
        return (
            f"Quantization-aware training leaves out {len(left)} of {len(known)} layers with "
            f"weights: {_listed(left)}."
        )
    return None


def mode_was_faster_here(case: Case) -> str | None:
    """A mode that was measured faster than the baseline on this machine may be on a phone's CPU."""
    found = _latency_of_mode(case)
    if found and found[1] < 1:
        return (
            f"“{found[0].name}” takes {format_times(found[1])} the baseline's latency on this "
            "machine's processor."
        )
    return None


def mode_was_not_faster_here(case: Case) -> str | None:
    """A mode that was measured no faster than the baseline need not be tried for its speed."""
    found = _latency_of_mode(case)
    if found and found[1] >= 1:
        return (
            f"“{found[0].name}” takes {format_times(found[1])} the baseline's latency on this "
            "machine's processor, so it is not faster here."
        )
    return None


def quantization_alone_keeps_the_limit(case: Case) -> str | None:
    """Quantization after training suffices where it was measured to keep the limit."""
    alone, loss = _loss_of_mode(case)
    if alone is None or loss is None or case.aware or loss > (case.wish.may_lose or 0.0):
        return None
    return f"“{alone.name}” alone {loss_text(loss, _metric(case))} here."


def quantization_alone_breaks_the_limit(case: Case) -> str | None:
    """Quantization after training does not suffice where it was measured to break the limit."""
    alone, loss = _loss_of_mode(case)
    if alone is None or loss is None or case.aware or loss <= (case.wish.may_lose or 0.0):
        return None
    return (
        f"“{alone.name}” alone {loss_text(loss, _metric(case))} here, more than "
        f"{amount_text(case.wish.may_lose or 0.0, _metric(case))}."
    )


def aware_training_can_win_back(case: Case) -> str | None:
    """Quantization-aware training can win back what quantization after training lost."""
    alone, loss = _loss_of_mode(case)
    if alone is None or loss is None or not case.aware or not _lost_clearly(case, alone):
        return None
    return f"“{alone.name}” {loss_text(loss, _metric(case))}, which training can win back."


def aware_training_has_nothing_to_win(case: Case) -> str | None:
    """Quantization-aware training cannot win back what quantization did not lose."""
    alone, loss = _loss_of_mode(case)
    only = not (case.zeros or case.clusters or case.narrows)
    if alone is None or loss is None or not case.aware or not only or loss > 0:
        return None
    return f"“{alone.name}” {loss_text(loss, _metric(case))}: there is nothing to win back."


def int8_leaves_operators_in_float(case: Case) -> str | None:
    """Operators without an int8 kernel stay in float, which integer-only hardware cannot run."""
    if case.wish.target not in ("micro", "npu") or case.mode != "int8":
        return None
    alone = case.quantized_alone
    operators = case.situation.operators.get(alone.id) if alone else None
    if alone is None or operators is None or not operators.in_float:
        return None
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(operators.in_float.items()))
    return f"In “{alone.name}” these operators still compute in float32: {listed}."


def nothing_of_the_kind_was_measured(case: Case) -> str | None:
    """Where nothing of a kind was measured on a model, a gentle one is a first try."""
    if case.step and case.step.kind == "start" and case.recipe.trains:
        return "No recipe of this kind has been measured on this model: a first try."
    return None


def same_kept_the_limit(case: Case) -> str | None:
    """The same recipe with other inputs and outputs, or in float32, kept the limit."""
    kept = case.step.kept if case.step and case.step.kind == "same" else None
    if kept is None:
        return None
    if kept.recipe.quantize.mode != case.mode:
        return f"{_said(case, kept)}; this is the same in {case.mode}."
    return f"{_said(case, kept)}; only its inputs and outputs differ."


def gentler_kept_the_limit(case: Case) -> str | None:
    """A gentler recipe of the kind kept the limit, so there may be room for a harsher one."""
    step = case.step
    if step is None or step.kind != "harsher" or step.kept is None:
        return None
    return f"{_said(case, step.kept)}, so there may be room for more."


def harsher_broke_the_limit(case: Case) -> str | None:
    """A harsher recipe of the kind broke the limit, so a gentler one may keep it."""
    step = case.step
    if step is None or step.kind != "gentler" or step.broke is None:
        return None
    return f"{_said(case, step.broke)}, more than may be lost: this is gentler."


def between_kept_and_broken(case: Case) -> str | None:
    """Between a recipe that kept the limit and one that broke it there may be a better one."""
    step = case.step
    if step is None or step.kind != "between" or step.kept is None or step.broke is None:
        return None
    return f"{_said(case, step.kept)}, {_said(case, step.broke)}: this is between them."


def layers_differ_in_sensitivity(case: Case) -> str | None:
    """Where the scan of single layers differs, sparsity is better divided by it."""
    own = {n: o.final_sparsity for n, o in case.recipe.layers.items() if o.final_sparsity}
    if not case.situation.sensitivity or not own:
        return None
    least, most = min(own, key=own.__getitem__), max(own, key=own.__getitem__)
    return (
        "As many zeros in all, divided by what the sensitivity scan of this model found: "
        f"{100 * own[least]:.0f} % in {least}, {100 * own[most]:.0f} % in {most}."
    )


def training_is_short(case: Case) -> str | None:
    """With few training steps a model hardly recovers."""
    if not case.recipe.trains:
        return None
    found = cautions(case.recipe, case.situation.data_facts)
    return found[0] if found else None


def _share(
    situation: Situation, technique: str, verb: str, above: float = 0.0, below: float = 2.0
) -> str | None:
    """How much of the parameters a technique can act on, where it is between two shares."""
    able = situation.able(technique)
    share = situation.share_of_parameters(able)
    if share is None or not above <= share < below:
        return None
    largest = max(able, key=lambda name: situation.share_of_parameters([name]) or 0.0, default=None)
    most = (
        ""
        if largest is None
        else f", {_percent(situation.share_of_parameters([largest]))} in {largest}"
    )
    return f"{_percent(share)} of the parameters are in layers that can be {verb}{most}."


def _percent(share: float | None) -> str:
    return f"{100 * (share or 0.0):.0f} %"


def _latency_of_mode(case: Case) -> tuple[Variant, float] | None:
    """The variant that is only quantized in this mode, and its significant latency ratio.

    Nothing unless speed is wanted of a CPU: this machine's processor says nothing of others.
    """
    alone, found = case.quantized_alone, measured(case.quantized_alone)
    if case.wish.target != "cpu" or case.wish.priority != "latency":
        return None
    if alone is None or found is None or found.latency is None or found.latency.ratio is None:
        return None
    if not found.latency.significant:
        return alone, 1.0
    return alone, found.latency.ratio


def _loss_of_mode(case: Case) -> tuple[Variant | None, float | None]:
    """The variant that is only quantized in this mode, and what it lost."""
    alone = case.quantized_alone
    return (alone, case.situation.loss(alone)) if case.wish.may_lose is not None else (None, None)


def _lost_clearly(case: Case, variant: Variant) -> bool:
    loss, base = case.situation.loss(variant), measured(case.situation.baseline)
    return bool(loss and loss > 0 and base and clearly_differs(variant, base.value))


def _metric(case: Case) -> str:
    return case.situation.metric or "accuracy"


def _said(case: Case, variant: Variant) -> str:
    loss = case.situation.loss(variant)
    if loss is None:
        return f"“{variant.name}” ran"
    return f"“{variant.name}” {loss_text(loss, _metric(case))}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
