"""Recipes that spare the layers which a scan found sensitive: overrides, each with its reason.

A scan changes one layer alone and trains nothing. So what it says of a layer is neither what the
layer costs beside the others nor what fine-tuning wins back: it is an order of layers, and a
protected recipe is a proposal that a run then measures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from optimizer.errors import InputError
from optimizer.recipe import Recipe
from optimizer.sensitivity.scan import INT8, Cell, LayerScan, Scan, Setting, Technique

Field = Literal["final_sparsity", "number_of_clusters", "quantize"]
FIELDS: dict[Technique, Field] = {
    "prune": "final_sparsity",
    "cluster": "number_of_clusters",
    "int8": "quantize",
}


@dataclass(frozen=True)
class Change:
    """One override that protecting sets, and why."""

    layer: str
    field: Field
    before: Any
    after: Any
    reason: str


@dataclass(frozen=True)
class Protected:
    """A recipe with its sensitive layers spared.

    Attributes:
        recipe: the new one; the old one where there is nothing to spare.
        changes: what was set, in the order of the layers.
        remarks: what the scan does not cover in this recipe, each as a sentence.
    """

    recipe: Recipe
    changes: tuple[Change, ...]
    remarks: tuple[str, ...]


def protectable(recipe: Recipe) -> bool:
    """Whether a recipe has anything that can be set for single layers and was scanned."""
    return _prunes(recipe) or recipe.cluster is not None or recipe.quantize.aware


def protect(recipe: Recipe, scan: Scan, threshold: float) -> Protected:
    """Give every layer that loses too much in a recipe's setting the strongest one it bears.

    Only settings that were scanned are given. A layer bears a sparsity when that and every lower
    one scanned lost at most the threshold, and a number of clusters likewise with the larger
    ones.

    Args:
        recipe: the base; overrides it has are kept where the layer bears them.
        scan: of the same model.
        threshold: what one layer may lose, in the scan's unit.
    """
    changes = [
        change
        for layer in scan.layers
        for change in _changes(recipe, scan, layer, threshold)
        if change.after != change.before
    ]
    protected = recipe
    for change in changes:
        protected = _with(protected, change.layer, change.field, change.after)
    return Protected(protected, tuple(changes), tuple(_remarks(recipe, scan, threshold)))


def effective(recipe: Recipe, scan: Scan, layer: LayerScan) -> dict[Field, Any]:
    """What a recipe does to one layer: sparsity, clusters, whether QAT covers it.

    ``None`` for what it does not do, or not to this layer.
    """
    override = recipe.layers.get(layer.name)
    found: dict[Field, Any] = {}
    own = {field: getattr(override, field) if override else None for field in FIELDS.values()}
    if recipe.prune is not None and _prunes(recipe) and layer.can("prune"):
        final = recipe.prune.schedule.final
        ends = [each.name for each in scan.layers if each.can("prune")]
        if recipe.prune.gentle_ends and layer.name in (ends[0], ends[-1]):
            final /= 2
        given = own["final_sparsity"]
        found["final_sparsity"] = final if given is None else given
    if recipe.cluster is not None and layer.can("cluster"):
        found["number_of_clusters"] = own["number_of_clusters"] or recipe.cluster.number_of_clusters
    if recipe.quantize.aware and layer.can("int8"):
        found["quantize"] = own["quantize"] is not False
    return found


def set_layer(recipe: Recipe, layer: str, setting: Setting) -> Recipe:
    """A recipe in which one layer has a setting of the scan: with ``int8``, it stays in float.

    A layer that has the setting already gets the recipe's own back.

    Raises:
        InputError: the recipe does nothing that the setting could override.
    """
    missing = _nothing_to_override(recipe, setting.technique)
    if missing:
        raise InputError(missing)
    field = FIELDS[setting.technique]
    value: Any = False if field == "quantize" else setting.level
    if field == "number_of_clusters":
        value = int(value)
    override = recipe.layers.get(layer)
    again = override is not None and getattr(override, field) == value
    return _with(recipe, layer, field, None if again else value)


def planned_zeros(recipe: Recipe, scan: Scan) -> float | None:
    """The share of zeros that a recipe asks for over all scanned kernels that can be pruned.

    ``None`` for recipes that do not prune single weights.
    """
    layers = [layer for layer in scan.layers if layer.can("prune")]
    total = sum(layer.weights for layer in layers)
    if not _prunes(recipe) or not total:
        return None
    zeros = sum(
        layer.weights * effective(recipe, scan, layer)["final_sparsity"] for layer in layers
    )
    return zeros / total


def deciding(layer: LayerScan, technique: Technique, level: float) -> Setting | None:
    """The scanned setting that says what a layer bears: that level, or the next stronger one.

    ``None`` when nothing as strong was scanned.
    """
    levels = _levels(layer, technique)
    at_least = [s for s in levels if s.level >= level - 1e-9]
    at_most = [s for s in levels if s.level <= level + 1e-9]
    if technique == "cluster":
        return at_most[-1] if at_most else None
    return at_least[0] if at_least else None


def _changes(recipe: Recipe, scan: Scan, layer: LayerScan, threshold: float) -> Iterator[Change]:
    now = effective(recipe, scan, layer)
    for technique, field in FIELDS.items():
        if field not in now or not layer.can(technique):
            continue
        if technique == "int8":
            cell = layer.cells[Setting("int8", INT8)]
            if now[field] and not _bears(cell, threshold):
                lost = scan.unit.show(cell.lost)
                yield Change(
                    layer.name, field, True, False, f"Rounded to int8 alone it loses {lost}."
                )
        else:
            yield from _gentler(scan, layer, technique, now[field], threshold)


def _gentler(
    scan: Scan, layer: LayerScan, technique: Technique, now: float, threshold: float
) -> Iterator[Change]:
    """The strongest scanned setting that a layer bears, when it does not bear the present one."""
    decides = deciding(layer, technique, now)
    if decides is not None and _bears(layer.cells[decides], threshold):
        return
    prunes, show = technique == "prune", scan.unit.show
    levels = _levels(layer, technique)
    weakest_first = levels if prunes else levels[::-1]
    borne = None
    for setting in weakest_first:
        weaker = setting.level < now if prunes else setting.level > now
        if not _bears(layer.cells[setting], threshold) or not weaker:
            break
        borne = setting
    if decides is None:
        strongest = weakest_first[-1]
        if strongest == borne:
            said = f"It was scanned {'up' if prunes else 'down'} to {strongest.label} only"
            yield _change(layer, technique, now, borne.level, f"{said}, which it bears.")
            return
        decides = strongest
    said = f"{decides.words.capitalize()} alone, it loses {show(layer.cells[decides].lost)}"
    if borne is not None:
        held = "at " + borne.label if prunes else f"with {borne.label}"
        reason = f"{said}; {held} it loses {show(layer.cells[borne].lost)}."
        yield _change(layer, technique, now, borne.level, reason)
    elif prunes:
        gentlest = weakest_first[0]
        even = f"even {gentlest.label} costs {show(layer.cells[gentlest].lost)}"
        more = "nothing gentler was scanned" if gentlest == decides else even
        yield _change(layer, technique, now, 0.0, f"{said}; {more}: it is not pruned.")
    else:
        most = weakest_first[0]
        if most.level > now:
            reason = (
                f"{said}; none of the scanned counts keeps within the limit, so it gets the "
                f"largest, with which it loses {show(layer.cells[most].lost)}."
            )
            yield _change(layer, technique, now, most.level, reason)


def _change(
    layer: LayerScan, technique: Technique, before: float, after: float, reason: str
) -> Change:
    value: Any = int(after) if technique == "cluster" else after
    return Change(layer.name, FIELDS[technique], before, value, reason)


def _levels(layer: LayerScan, technique: Technique) -> list[Setting]:
    return sorted((s for s in layer.cells if s.technique == technique), key=lambda s: s.level)


def _bears(cell: Cell, threshold: float) -> bool:
    return cell.lost is not None and cell.lost <= threshold + 1e-9


def _prunes(recipe: Recipe) -> bool:
    """Whether sparsities of single layers can be set, and are of weights, as scanned."""
    prune = recipe.prune
    return prune is not None and prune.structure.kind in ("unstructured", "block")


def _with(recipe: Recipe, layer: str, field: Field, value: Any) -> Recipe:
    dump = recipe.model_dump(mode="json")
    override = {**dump["layers"].get(layer, {}), field: value}
    layers = {**dump["layers"], layer: override}
    if all(each is None for each in override.values()):
        del layers[layer]
    return Recipe.parse({**dump, "layers": layers})


def _nothing_to_override(recipe: Recipe, technique: Technique) -> str | None:
    prune = recipe.prune
    if technique == "prune" and not _prunes(recipe):
        if prune is None:
            return "This recipe does not prune, so no layer can have a sparsity of its own."
        if prune.structure.kind == "channels":
            return (
                "This recipe removes whole channels; the scan is of single weights, so its "
                "sparsities say nothing about them."
            )
        return "This recipe prunes by a pattern that is the same in every layer."
    if technique == "cluster" and recipe.cluster is None:
        return "This recipe does not cluster, so no layer can have a cluster count of its own."
    if technique == "int8" and not recipe.quantize.aware:
        return (
            "Single layers can be left in float by quantization-aware training only, which this "
            "recipe does not have."
        )
    return None


def _remarks(recipe: Recipe, scan: Scan, threshold: float) -> Iterator[str]:
    """What protecting does not do for this recipe, as sentences."""
    prune = recipe.prune
    scanned: Mapping[str, bool] = {
        technique: any(layer.can(technique) for layer in scan.layers) for technique in FIELDS
    }
    if prune is not None and not _prunes(recipe):
        yield _nothing_to_override(recipe, "prune") or ""
    if _prunes(recipe) and not scanned["prune"]:
        yield "The scan tried no sparsities, so pruning stays as it is. Scan again with some."
    if prune is not None and prune.structure.kind == "block":
        yield "The recipe prunes whole blocks, which costs more than the single weights scanned."
    if prune is not None and prune.scope == "global":
        yield (
            "Weights compete over all layers in this recipe, so that a layer without a sparsity of "
            "its own may lose more than the recipe's share."
        )
    if recipe.cluster is not None and not scanned["cluster"]:
        yield "The scan tried no cluster counts, so clustering stays as it is."
    if recipe.quantize.aware and not scanned["int8"]:
        yield "The scan did not try int8, so quantization stays as it is."
    rounds = recipe.quantize.mode in ("int8", "int16x8", "dynamic") and not recipe.quantize.aware
    sore = [
        layer.name
        for layer in scan.layers
        if layer.can("int8") and not _bears(layer.cells[Setting("int8", INT8)], threshold)
    ]
    if rounds and sore:
        yield (
            f"Rounding to int8 costs {', '.join(sore[:3])}{' …' if len(sore) > 3 else ''} more "
            "than the limit. Quantization after training covers every layer; switch on "
            "quantization-aware training, and such layers can stay in float."
        )
