"""A recipe's short name, and what is wrong with one, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

if TYPE_CHECKING:
    from optimizer.recipe import Cluster, FineTune, Prune, Quantize, Recipe

_UNION_TAGS = ("polynomial", "constant", "steps", "unstructured", "block", "n_m", "channels")
_SENTENCES, _LONGEST = 5, 100
"""Mistakes that are told at once, and characters of a name or value that are shown."""
_MODES = {"dynamic": "dynamic range", "int16x8": "int16×8"}


def name_parts(recipe: Recipe) -> list[str]:
    """The parts of a recipe's name; none for the float32 baseline."""
    parts = []
    if recipe.prune:
        parts.append(_prune(recipe.prune))
    if recipe.cluster:
        parts.append(_cluster(recipe.cluster))
    if recipe.quantize.mode != "none":
        parts.append(_quantize(recipe.quantize))
    if recipe.sparse_encoding:
        parts.append("sparse encoding")
    if recipe.trains:
        parts += _fine_tune(recipe.fine_tune)
    if recipe.layers:
        parts.append(f"{len(recipe.layers)} layer override{'s' if len(recipe.layers) > 1 else ''}")
    if recipe.seed and not recipe.is_baseline:
        parts.append(f"seed {recipe.seed}")
    return parts


def _prune(prune: Prune) -> str:
    structure, share = prune.structure, f"{100 * prune.schedule.final:.4g}%"
    if structure.kind == "channels":
        words = [f"channels −{share}" + (" MACs" if structure.target == "macs" else "")]
    elif structure.kind == "n_m":
        words = [f"prune {structure.n}:{structure.m}"]
    elif structure.kind == "block":
        words = [f"prune {share} blocks {structure.size[0]}×{structure.size[1]}"]
    else:
        words = [f"prune {share}"]
    if prune.schedule.kind != "polynomial":
        words.append(prune.schedule.kind)
    if prune.criterion != "magnitude":
        words.append(f"by {prune.criterion}" if prune.criterion == "gradient" else "at random")
    if prune.scope == "global":
        words.append("global")
    if prune.gentle_ends:
        words.append("gentle ends")
    return " ".join(words)


def _cluster(cluster: Cluster) -> str:
    default = type(cluster)().cluster_centroids_init
    init = cluster.cluster_centroids_init
    return (
        f"cluster {cluster.number_of_clusters}"
        + (" per channel" if cluster.per_channel else "")
        + ("" if init == default else f" {init}")
    )


def _quantize(quantize: Quantize) -> str:
    return (
        _MODES.get(quantize.mode, quantize.mode)
        + (" QAT" if quantize.aware else "")
        + ("" if quantize.granularity == "per_channel" else " per tensor")
        + ("" if quantize.io == "float32" else f" {quantize.io} in/out")
    )


def _fine_tune(tune: FineTune) -> list[str]:
    default = type(tune)()
    labels = {"epochs": "epochs", "batch_size": "batch", "learning_rate": "lr"}
    return [
        f"{label} {getattr(tune, field):g}"
        for field, label in labels.items()
        if getattr(tune, field) != getattr(default, field)
    ]


def _without_tags(path: Sequence[int | str]) -> list[int | str]:
    """A field's path without the names that tell a union's members apart.

    The field ``steps`` of the schedule ``steps`` is no such name.
    """
    return [
        part
        for index, part in enumerate(path)
        if part not in _UNION_TAGS or path[index - 1] not in ("schedule", "structure")
    ]


def describe_error(error: ValidationError) -> str:
    """What pydantic found, as sentences that name the field and the value received."""
    sentences = []
    errors = error.errors(include_url=False)
    for item in errors[:_SENTENCES]:
        where = ".".join(str(part)[:_LONGEST] for part in _without_tags(item["loc"]))
        if item["type"] == "json_invalid":
            return f"It is not valid JSON: {item['ctx']['error']}."
        if item["type"] == "extra_forbidden":
            sentences.append(f"Unknown key {where!r}.")
            continue
        if item["type"] == "too_short":
            sentences.append(f"{where} needs at least {item['ctx']['min_length']} entry.")
            continue
        text = item["msg"].removeprefix("Value error, ")
        whole = isinstance(item["input"], Mapping)  # a part: its values are not one's mistake
        received = "" if whole or "received" in text else f"; received {_short(item['input'])}"
        sentences.append(f"{where + ': ' if where else ''}{text[:400]}{received}.")
    if len(errors) > _SENTENCES:
        sentences.append(f"There are {len(errors) - _SENTENCES:,} more mistakes.")
    return " ".join(sentences)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
