"""What to try after a variant was measured, one rule each; the table is in ``next_steps``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optimizer.advise.after import After, Suggestion, changed_recipe
from optimizer.advise.documents import AWARE, EXPERIMENT, POST_TRAINING, PRUNING
from optimizer.advise.ladder import narrowed
from optimizer.advise.situation import clearly_differs, core
from optimizer.advise.wish import amount_text, limit_text, loss_text
from optimizer.format import format_bytes, format_metric, format_times, metric_words
from optimizer.measured import measured


def fell_at_clustering(after: After) -> Suggestion | None:
    """The metric fell at clustering: more clusters, for the layers that need them if known."""
    cluster = after.recipe.cluster
    before = after.without("cluster") or after.gentler("cluster")
    fell = after.fell_since(before)
    if cluster is None or before is None or fell is None or not after.lost_too_much:
        return None
    most = min(1024, 2 * cluster.number_of_clusters)
    sensitive = _sensitive(after.situation.sensitivity, "cluster", str(cluster.number_of_clusters))
    if sensitive and not after.recipe.layers:
        layers = {name: {"number_of_clusters": most} for name in sensitive}
        recipe = changed_recipe(after.recipe, {"layers": layers})
        where = f" for {', '.join(sensitive)}, which the scan of single layers found to suffer most"
    else:
        more = {**cluster.model_dump(mode="json"), "number_of_clusters": most}
        recipe, where = changed_recipe(after.recipe, {"cluster": more}), ""
    return Suggestion(
        f"More clusters: {most}",
        f"With {cluster.number_of_clusters} clusters it {after.beyond(fell, before)}. "
        f"Try {most}{where}.",
        recipe,
    )


def fell_at_pruning(after: After) -> Suggestion | None:
    """The metric fell at pruning: fewer zeros, or divided by what layers bear if that is known."""
    prune, gentler_one = after.recipe.prune, after.gentler("prune")
    before = after.without("prune") or gentler_one
    fell = after.fell_since(before)
    if prune is None or before is None or fell is None or not after.lost_too_much:
        return None
    if prune.structure.kind == "n_m":
        return None
    least = gentler_one.recipe.prune if gentler_one else None
    final = prune.schedule.final - (0.1 if prune.schedule.final > 0.3 else 0.05)
    if least is not None:  # between the two
        final = max(final, (least.schedule.final + prune.schedule.final) / 2)
    final = round(final, 3)
    if prune.schedule.kind == "steps" or final <= 0:
        return None
    field = "final_sparsity" if prune.schedule.kind == "polynomial" else "target_sparsity"
    schedule = {**prune.schedule.model_dump(mode="json"), field: final}
    gentler = {**prune.model_dump(mode="json"), "schedule": schedule}
    what = "removed" if prune.structure.kind == "channels" else "zeros"
    return Suggestion(
        f"Prune less: {100 * final:g} %",
        f"At {100 * prune.schedule.final:g} % {what} it {after.beyond(fell, before)}.",
        changed_recipe(after.recipe, {"prune": gentler}),
        PRUNING,
    )


def training_can_win_int8_back(after: After) -> Suggestion | None:
    """int8 after training lost something: quantization-aware training often wins it back."""
    quantize, before = after.recipe.quantize, after.without("quantize")
    fell = after.fell_since(before)
    if quantize.mode != "int8" or quantize.aware or before is None or fell is None:
        return None
    aware = {**quantize.model_dump(mode="json"), "aware": True}
    recipe = changed_recipe(after.recipe, {"quantize": aware})
    known = after.situation.like(recipe) if recipe else None
    won = after.situation.loss(known)
    lost = f"In int8 it {after.beyond(fell, before)}"
    if known is not None and won is not None and after.loss is not None:
        much = amount_text(after.loss - won, after.found.metric)
        how = f"wins back {much}" if won < after.loss else "wins back nothing of it"
        return Suggestion(
            "Quantization-aware training is measured", f"{lost}. “{known.name}” {how}."
        )
    return Suggestion(
        "Quantization-aware training",
        f"{lost}. Training while imitating int8 is often better for accuracy.",
        recipe,
        AWARE,
    )


def int8_is_not_faster(after: After) -> Suggestion | None:
    """int8 is no faster here: which operators stayed in float, or that none did."""
    latency = after.found.latency
    if after.recipe.quantize.mode != "int8" or latency is None or latency.ratio is None:
        return None
    if latency.significant is None or (latency.significant and latency.ratio < 1):
        return None
    operators = after.situation.operators.get(after.variant.id)
    how = f"It takes {format_times(latency.ratio)} the baseline's latency"
    how += ", no significant difference" if not latency.significant else ""
    if operators is None:
        why = "Which of its operators compute in float is not known."
    elif operators.in_float:
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(operators.in_float.items()))
        why = f"These operators still compute in float32: {listed}."
    else:
        why = "No operator is left in float; other processors may be faster at int8."
    recipe = None
    if after.recipe.prune is None and after.situation.able("channels"):
        recipe = changed_recipe(after.recipe, narrowed(0.5))
        why += " Fewer channels are less arithmetic on any hardware."
    return Suggestion("int8 is not faster here", f"{how}. {why}", recipe, POST_TRAINING)


def zeros_show_only_compressed(after: After) -> Suggestion | None:
    """A pruned file is as large as before until it is compressed, or its zeros are left out."""
    found, base = after.found, after.base
    if not after.recipe.leaves_zeros or after.recipe.sparse_encoding:
        return None
    before = measured(after.without("prune")) or base
    sizes = (found.size_bytes, before.size_bytes, found.gzip_bytes, before.gzip_bytes)
    if any(size is None for size in sizes):
        return None
    size, size_before, packed, packed_before = (int(size or 0) for size in sizes)
    if abs(size - size_before) > 0.01 * size_before or packed >= packed_before:
        return None
    recipe, rest = None, ""
    if after.recipe.quantize.mode in ("none", "float16"):
        recipe = changed_recipe(after.recipe, {"sparse_encoding": True})
        rest = " To make the file itself smaller, leave the zeros out of it."
    elif after.situation.able("channels"):
        recipe = changed_recipe(after.recipe, {**narrowed(0.5), "cluster": None})
        rest = " To make the file itself smaller, remove channels instead."
    return Suggestion(
        "The zeros show only once compressed",
        f"Without pruning the file has {format_bytes(size_before)}, with it {format_bytes(size)}; "
        f"gzip-compressed {format_bytes(packed_before)} become {format_bytes(packed)}.{rest}",
        recipe,
        EXPERIMENT,
    )


def int16_is_slower(after: After) -> Suggestion | None:
    """int16 activations are slower here and exacter: see whether int8 is exact enough."""
    latency = after.found.latency
    if after.recipe.quantize.mode != "int16x8" or latency is None or latency.ratio is None:
        return None
    if not latency.significant or latency.ratio <= 1:
        return None
    quantize = {"mode": "int8"}
    recipe = changed_recipe(after.recipe, {"quantize": quantize})
    known = after.situation.like(recipe) if recipe else None
    loss = after.situation.loss(known)
    text = f"It takes {format_times(latency.ratio)} the baseline's latency."
    if known is not None and loss is not None:
        text += f" “{known.name}” {loss_text(loss, after.found.metric)}."
    return Suggestion("int8 instead of int16×8", text, recipe)


def promise_was_broken(after: After) -> Suggestion | None:
    """A recipe's promise that the file does not keep is often a matter of too little training."""
    if not after.found.broken or not after.recipe.trains:
        return None
    first = after.found.broken[0]
    tune = after.recipe.fine_tune
    longer = {**tune.model_dump(mode="json"), "epochs": min(1000, 3 * tune.epochs)}
    return Suggestion(
        f"Train longer: {longer['epochs']} epochs",
        f"Promised was: {first.promise}; found in the file: {first.found}. "
        f"{tune.epochs} epoch{'s' * (tune.epochs != 1)} may have been too few.",
        changed_recipe(after.recipe, {"fine_tune": longer}),
    )


def training_may_win_back(after: After) -> Suggestion | None:
    """A trained variant that lost more than it may can be trained longer."""
    if not after.recipe.trains or after.loss is None or not after.lost_too_much:
        return None
    if not clearly_differs(after.variant, after.base.value):
        return None
    tune = after.recipe.fine_tune
    epochs = min(1000, 3 * tune.epochs)
    longer = {**tune.model_dump(mode="json"), "epochs": epochs}
    return Suggestion(
        f"Train longer: {epochs} epochs",
        f"It {loss_text(after.loss, after.found.metric)} after {tune.epochs} "
        f"epoch{'s' * (tune.epochs != 1)} in each training; whether more win some back is not "
        "known until it is tried.",
        changed_recipe(after.recipe, {"fine_tune": longer}),
    )


def room_is_left(after: After) -> Suggestion | None:
    """A variant that keeps the limit easily leaves room to take more away."""
    prune, loss = after.recipe.prune, after.loss
    if prune is None or loss is None or after.may_lose is None or loss > after.may_lose / 2:
        return None
    final = round(prune.schedule.final + 0.1, 2)
    if prune.structure.kind == "n_m" or prune.schedule.kind != "polynomial" or final > 0.95:
        return None
    if _harsher_is_measured(after, prune.schedule.final):
        return None
    schedule = {**prune.schedule.model_dump(mode="json"), "final_sparsity": final}
    harsher = {**prune.model_dump(mode="json"), "schedule": schedule}
    return Suggestion(
        f"Prune more: {100 * final:g} %",
        f"It {loss_text(loss, after.found.metric)}, and "
        f"{limit_text(after.may_lose, after.found.metric)}.",
        changed_recipe(after.recipe, {"prune": harsher}),
    )


def _harsher_is_measured(after: After, final: float) -> bool:
    """Whether a variant that differs in a higher sparsity alone has been measured."""
    mine = core(after.recipe)
    return any(
        variant.recipe.prune is not None
        and variant.recipe.prune.structure == (after.recipe.prune and after.recipe.prune.structure)
        and variant.recipe.prune.schedule.final > final
        and core(variant.recipe)[1:] == mine[1:]
        for variant in after.situation.done
    )


def difference_is_noise(after: After) -> Suggestion | None:
    """A difference to the baseline within the 95 % interval says nothing."""
    found, base, loss = after.found, after.base, after.loss
    if found.interval is None or base.value is None or found.value is None or not loss:
        return None
    low, high = found.interval
    if not low <= base.value <= high:
        return None
    samples = f" on {found.samples:,} samples" if found.samples else ""
    ends = f"{format_metric(found.metric, low)} to {format_metric(found.metric, high)}"
    return Suggestion(
        f"Its difference in {metric_words(found.metric)} may be chance",
        f"It {loss_text(loss, found.metric)}{samples}; the 95 % interval, {ends}, holds the "
        f"baseline's {format_metric(found.metric, base.value)}. Do not chase it; more test samples "
        "would tell.",
    )


def _sensitive(scan: Mapping[str, Any] | None, technique: str, key: str) -> list[str]:
    """The layers whose loss rises most when changed alone, more than their share of the sum."""
    rises = {
        layer["name"]: max(0.0, float(layer[technique][key]["rise"]))
        for layer in (scan or {}).get("layers", ())
        if (layer.get(technique) or {}).get(key)
    }
    total = sum(rises.values())
    return [name for name, rise in rises.items() if total and rise > total / len(rises)]
