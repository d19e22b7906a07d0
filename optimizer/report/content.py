"""A report as plain data: everything it says, before it becomes HTML or a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from optimizer.comparison import suggested
from optimizer.deploy.boards import BOARDS
from optimizer.deploy.energy import energy
from optimizer.deploy.fit import Fit, Footprint, fit, kib
from optimizer.errors import InputError
from optimizer.explore.side_by_side import side_by_side
from optimizer.explore.table import Table, explore_table
from optimizer.format import format_bytes, format_energy
from optimizer.headlines import how_measured
from optimizer.measured import marked_name, measured
from optimizer.measures import Measure
from optimizer.presets import explain
from optimizer.report.how import measured_how
from optimizer.report.plain import distinct_words, layer_words, operator_words
from optimizer.report.source import ReportSource, today
from optimizer.report.words import (
    answer,
    default_question,
    default_title,
    in_short,
    limits,
    meaning,
)
from optimizer.store.records import Variant

MOST_ALTERNATIVES = 6
_ALTERNATIVES = 3
_TEXT_LENGTH = 600


@dataclass(frozen=True)
class Choices:
    """What a person decides about a report; empty texts mean the default ones.

    Attributes:
        choice: the winner's id; ``None`` for the suggested variant.
        alternatives: ids shown beside it; ``None`` for the nearest on the Pareto front.
        date: of the report; empty for today.
    """

    title: str = ""
    question: str = ""
    audience: str = ""
    choice: str | None = None
    alternatives: tuple[str, ...] | None = None
    date: str = ""


@dataclass(frozen=True)
class Grid:
    """A table: column heads, and rows that begin with their own head."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class Content:
    """What a report says.

    Attributes:
        short: the first figures: name, value, what it was before.
        beside: measures as rows; baseline, choice and alternatives as columns.
        steps: what was done, in order.
        layers: what happened to each weight tensor.
        how: what the figures rest on: name and text.
        estimates: what the choice would need on microcontrollers; empty where not at hand.
        boards: board → whether the choice fits.
        table: all variants as columns of numbers, for charts and the budget.
    """

    source: ReportSource
    title: str
    question: str
    audience: str
    date: str
    choice: Variant
    alternatives: tuple[Variant, ...]
    answer: str
    meaning: str
    short: tuple[tuple[str, str, str], ...]
    beside: Grid
    steps: tuple[str, ...]
    layers: Grid
    how: tuple[tuple[str, str], ...]
    limits: tuple[str, ...]
    estimates: tuple[tuple[str, str], ...]
    boards: tuple[tuple[str, Fit], ...]
    table: Table = field(repr=False)


def compose(source: ReportSource, choices: Choices | None = None) -> Content:
    """Put a report together.

    Raises:
        InputError: the chosen variant, or an alternative, has no results.
    """
    wanted = choices or Choices()
    first = suggested(source.variants) or source.variants[0]
    choice = source.variant(wanted.choice) if wanted.choice else first
    table = explore_table(source.variants)
    ids = (
        default_alternatives(table, choice) if wanted.alternatives is None else wanted.alternatives
    )
    if len(ids) > MOST_ALTERNATIVES:
        raise InputError(f"At most {MOST_ALTERNATIVES} alternatives; {len(ids)} were given.")
    alternatives = tuple(
        variant
        for variant in (source.variant(one) for one in dict.fromkeys(ids))
        if variant.id != choice.id and not variant.is_baseline
    )
    found = measured(choice)
    assert found is not None, "a source has variants with results only"
    needed = source.footprint_of(choice)
    return Content(
        source=source,
        title=_line(wanted.title) or default_title(source),
        question=_line(wanted.question) or default_question(source),
        audience=_line(wanted.audience),
        date=wanted.date or today(),
        choice=choice,
        alternatives=alternatives,
        answer=answer(choice, source.baseline),
        meaning=meaning(choice, source.layers_of(choice)),
        short=tuple(in_short(choice, source.baseline)),
        beside=_beside(table, source, choice, alternatives),
        steps=tuple(explain(choice.recipe)),
        layers=_layers(source, choice),
        how=tuple(measured_how(source, found, how_measured(found))),
        limits=tuple(limits(source, choice)),
        estimates=tuple(_estimates(needed)) if needed else (),
        boards=tuple((board.name, fit(needed, board)) for board in BOARDS) if needed else (),
        table=table,
    )


def default_alternatives(table: Table, choice: Variant) -> tuple[str, ...]:
    """The variants on the front of download and quality that come nearest to the choice."""
    if not {"gzip", "metric"} <= set(table.measures):
        others = [v.id for v in table.variants if v.id != choice.id and not v.is_baseline]
        return tuple(others[:_ALTERNATIVES])
    known = table.measured_in(["gzip", "metric"])
    front = table.front(["gzip", "metric"], known)
    own = table.values["gzip"][table.places[choice.id]]
    places = [
        place
        for place, variant in enumerate(table.variants)
        if known[place] and variant.id != choice.id and not variant.is_baseline
    ]
    places.sort(key=lambda place: (not front[place], abs(table.values["gzip"][place] / own - 1)))
    return tuple(table.ids[place] for place in places[:_ALTERNATIVES])


def shared_reasons(boards: Sequence[tuple[str, Fit]]) -> tuple[str, ...]:
    """What is said of the choice on every one of the boards, such as that none can run it."""
    if len(boards) < 2:
        return ()
    first = boards[0][1].reasons
    return tuple(one for one in first if all(one in found.reasons for _, found in boards))


def _line(text: str) -> str:
    return " ".join(text.split())[:_TEXT_LENGTH]


def _beside(
    table: Table, source: ReportSource, choice: Variant, alternatives: Sequence[Variant]
) -> Grid:
    base = [source.baseline] if source.baseline and source.baseline.id != choice.id else []
    columns = [*base, choice, *alternatives]
    told = replace(table, measures=told_measures(table))
    frame = side_by_side(told, [table.places[variant.id] for variant in columns])
    heads = ("Measure", *(_head(variant, choice) for variant in columns))
    rows = [tuple(str(cell) for cell in row) for row in frame.itertuples(index=False, name=None)]
    if not {"energy", "ram"} & set(table.measures):  # else they are among the measures
        rows += _estimated_rows(source, columns)
    return Grid(heads, tuple(rows))


_NAMES = {
    "gzip": "Download (compressed)",
    "size": "File on the device",
    "metric": "",
    "agreement": "Same prediction as the baseline",
    "latency": "Time of one prediction (median)",
    "macs": "Multiply-accumulates of one prediction",
    "memory": "Peak memory on the computer that measured it",
    "energy": "Estimate: energy of one prediction",
    "ram": "Estimate: RAM of a microcontroller",
}
"""What the report tells of a variant, the most important first, and what it calls it; empty: as it
is called everywhere. What only explains the others is left to the layers and to the workbench."""


_UNITS: dict[str, Any] = {"ram": {"show": lambda kilobytes: kib(1000 * kilobytes)}}
"""Data sheets of boards count in KiB, and so does the report wherever it speaks of boards."""


def told_measures(table: Table) -> dict[str, Measure]:
    """The measures that the report tells, in its order and under its names."""
    return {
        key: replace(
            table.measures[key], name=name or table.measures[key].name, **_UNITS.get(key, {})
        )
        for key, name in _NAMES.items()
        if key in table.measures
    }


def _head(variant: Variant, choice: Variant) -> str:
    name = marked_name(variant)
    if variant.id == choice.id:
        return f"{name} (our choice)"
    return f"{name} (baseline)" if variant.is_baseline and "baseline" not in name else name


def _estimated_rows(source: ReportSource, columns: Sequence[Variant]) -> list[tuple[str, ...]]:
    needs = [source.footprint_of(variant) for variant in columns]
    if not any(needs):
        return []
    unknown = "cannot be told"
    flash = [kib(needed.flash_bytes) if needed else unknown for needed in needs]
    ram = [kib(n.ram_bytes) if n and n.ram_bytes is not None else unknown for n in needs]
    joules = [
        format_energy(energy(n.work, "sram").total_uj) if n and n.work else unknown for n in needs
    ]
    return [
        ("Estimate: flash of a microcontroller", *flash),
        ("Estimate: RAM of a microcontroller", *ram),
        ("Estimate: energy of one prediction", *joules),
    ]


def _layers(source: ReportSource, choice: Variant) -> Grid:
    """One row per weight tensor of the choice, compared with the baseline's of the same name."""
    heads = ("Layer", "Kind", "What happened", "Stored as", "Zeros", "Distinct values", "Bytes")
    base = source.baseline
    before: dict[Any, Mapping[str, Any]] = {}
    if base is not None and base.id != choice.id:
        before = {(layer["name"], layer["type"]): layer for layer in source.layers_of(base)}
    clusters = choice.recipe.cluster.number_of_clusters if choice.recipe.cluster else None
    rows = []
    for layer in source.layers_of(choice):
        former = before.get((layer["name"], layer["type"]))
        words = layer_words(former, layer, clusters=clusters) if before else "–"
        zeros = "–" if layer["sparsity"] is None else f"{100 * layer['sparsity']:.1f} %"
        size = "–" if layer["bytes"] is None else format_bytes(layer["bytes"])
        rows.append(
            (
                *(str(layer["name"]), operator_words(str(layer["type"])), words),
                *(str(layer["dtype"]), zeros, distinct_words(layer, clusters), size),
            )
        )
    return Grid(heads, tuple(rows))


def _estimates(needed: Footprint) -> list[tuple[str, str]]:
    rows = [("Flash: file and runtime", kib(needed.flash_bytes))]
    if needed.ram_bytes is not None:
        rows.append(("RAM: tensors and runtime", kib(needed.ram_bytes)))
    if needed.work:
        found = energy(needed.work, "sram")
        rows.append(
            (
                "Energy of one prediction",
                f"{format_energy(found.total_uj)}, of which {format_energy(found.memory_uj)} for "
                "moving data",
            )
        )
    return rows
