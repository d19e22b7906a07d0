"""Every recipe on every model, through the real engine: ``python -m benchmarks.matrix``.

Each cell is done, or refused beforehand as the Optimize page refuses it, or failed: that is a
defect of ours. The whole table goes to ``docs/matrix.md``; a part of it, chosen with ``--models``
and ``--recipes``, is printed. With ``--cells`` a run that was interrupted goes on where it ended.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.building import ROOT, File, files
from benchmarks.live import engine, quiet
from benchmarks.models import SUBJECTS
from benchmarks.recipes import RECIPES
from benchmarks.table import markdown
from optimizer.errors import InputError
from optimizer.feasible import objections
from optimizer.measured import measured
from optimizer.recipe import Recipe
from optimizer.session import bring, open_study, run_recipes
from optimizer.store import Store
from optimizer.store.records import Variant

TABLE = ROOT / "docs" / "matrix.md"


@dataclass(frozen=True)
class Cell:
    """What became of one recipe on one model.

    Attributes:
        state: ``broken``: done, but a promise of the recipe is not kept in the file.
        reason: why it is not simply done.
    """

    state: Literal["done", "broken", "refused", "failed"]
    reason: str = ""


Cells = dict[tuple[str, str], Cell]
"""(model, recipe's code) → what became of it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the matrix or a part of it; the exit code is 1 if a cell failed."""
    chosen = _arguments(arguments)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="featherweight-matrix-") as folder:
        os.environ["FEATHERWEIGHT_HOME"] = folder
        earlier, minutes = _read(chosen.cells) if chosen.cells else ({}, 0.0)
        left = [name for name in chosen.models if name not in {model for model, _ in earlier}]
        cells = dict(earlier)
        brought = files(Path(folder), left)
        store = Store.open(Path(folder))
        with engine(store):
            for name, row in run_matrix(store, brought, chosen.recipes):
                cells |= {(name, code): cell for code, cell in row.items()}
                if chosen.cells:
                    _write(chosen.cells, cells, minutes + _minutes_since(started))
        store.close()
    minutes += _minutes_since(started)
    text = markdown(cells, f"{minutes:.0f} minutes with {os.cpu_count()} cores ({_machine()})")
    if chosen.out:
        chosen.out.write_text(text)
    else:
        print(text)
    return int(any(cell.state == "failed" for cell in cells.values()))


def run_matrix(
    store: Store, brought: dict[str, tuple[File, File]], codes: Sequence[str]
) -> Iterator[tuple[str, dict[str, Cell]]]:
    """Each model's name and row; one line is printed for each."""
    for name, (model, data) in brought.items():
        started = time.monotonic()
        row = _row(store, model, data, codes)
        seconds = time.monotonic() - started
        states = [cell.state for cell in row.values()]
        ran = max(1, len(states) - states.count("refused"))
        counts = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
        print(f"{name:18} {counts}; {seconds:.0f} s, {seconds / ran:.1f} s a cell", flush=True)
        for code, cell in row.items():
            if cell.state in ("failed", "broken"):
                print(f"  {code}: {cell.state}: {cell.reason}", flush=True)
        yield name, row


def _minutes_since(started: float) -> float:
    return (time.monotonic() - started) / 60


def _write(path: Path, cells: Cells, minutes: float) -> None:
    listed = [[*place, asdict(cell)] for place, cell in cells.items()]
    path.write_text(json.dumps({"minutes": minutes, "cells": listed}))


def _read(path: Path) -> tuple[Cells, float]:
    """The cells of an interrupted run and the minutes it took; none without one."""
    if not path.exists():
        return {}, 0.0
    content = json.loads(path.read_text())
    cells = {(model, code): Cell(**cell) for model, code, cell in content["cells"]}
    return cells, content["minutes"]


def _row(store: Store, model: File, data: File, codes: Sequence[str]) -> dict[str, Cell]:
    """One model under every recipe: what is not refused beforehand, in one run."""
    try:
        found, dataset = bring(store, model, data, quiet)
        assert dataset is not None
        study = open_study(store, found, dataset, quiet)
    except InputError as error:
        return dict.fromkeys(codes, Cell("refused", str(error)))
    facts: dict[str, Any] = found.facts or {}
    cells: dict[str, Cell] = {}
    wanted: dict[str, Recipe] = {}
    for code in codes:
        recipe = RECIPES[code].recipe(facts)
        problems = objections(recipe, facts, study.task)
        if problems:
            cells[code] = Cell("refused", " ".join(problems))
        else:
            wanted[code] = recipe
    if wanted:
        _, *variants = run_recipes(store, study, list(wanted.values()), quiet)
        ended = {code: _cell(variant) for code, variant in zip(wanted, variants, strict=True)}
        cells |= ended
    return {code: cells[code] for code in codes}


def _cell(variant: Variant) -> Cell:
    """What the store says of a variant at the end of its run."""
    if variant.state != "done":
        return Cell("failed", variant.error or variant.state)
    found = measured(variant)
    if found is None or found.value is None or found.latency is None:
        return Cell("failed", "The variant is done but was not measured.")
    broken = [f"{item.promise}; found: {item.found}" for item in found.broken]
    return Cell("broken", " ".join(broken)) if broken else Cell("done")


def _machine() -> str:
    return f"{platform.system()}, {platform.machine()}"


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matrix", description=__doc__)
    parser.add_argument("--models", type=_names(SUBJECTS), default=list(SUBJECTS))
    parser.add_argument("--recipes", type=_names(RECIPES), default=list(RECIPES))
    parser.add_argument("--out", type=Path, help="write the table here instead of printing it")
    parser.add_argument("--cells", type=Path, help="keep finished models here, and skip them")
    chosen = parser.parse_args(arguments)
    whole = (chosen.models, chosen.recipes) == (list(SUBJECTS), list(RECIPES))
    chosen.out = chosen.out or (TABLE if whole else None)
    return chosen


def _names(known: dict[str, Any]) -> Any:
    def names(text: str) -> list[str]:
        wanted = text.split(",")
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return wanted

    return names


if __name__ == "__main__":
    raise SystemExit(main())
