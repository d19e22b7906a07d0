"""The matrix as a Markdown page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from benchmarks.models import SUBJECTS
from benchmarks.recipes import RECIPES


class CellLike(Protocol):
    """What became of one recipe on one model."""

    @property
    def state(self) -> str:
        """``done``, ``broken``, ``refused`` or ``failed``."""

    @property
    def reason(self) -> str:
        """Why it is not simply done."""


Cells = Mapping[tuple[str, str], CellLike]
_SIGNS = {"done": "✓", "broken": "b", "refused": "r", "failed": "✗"}
_SECTIONS = {
    "failed": ("Failed", "None of these should be."),
    "broken": ("Done, promise not kept", "The screen says so beside the variant, too."),
    "refused": ("Refused beforehand", "As the Optimize page says it."),
}


def markdown(cells: Cells, effort: str) -> str:
    """The page: totals, table, legend, and each reason with the cells it is about.

    Args:
        cells: (model, recipe's code) → what became of it.
        effort: how long it took, and where.
    """
    models = [name for name in SUBJECTS if any(model == name for model, _ in cells)]
    codes = [name for name in RECIPES if any(code == name for _, code in cells)]
    numbers = _numbered(cells.values())
    head = f"| | {' | '.join(codes)} |\n|---|{'---|' * len(codes)}\n"
    rows = (
        f"| {model} | {' | '.join(_sign(cells.get((model, code)), numbers) for code in codes)} |\n"
        for model in models
    )
    return "".join(
        (
            "# Every recipe on every model\n\n",
            f"Made by `python -m benchmarks.matrix` in {effort}: {_totals(cells)}. Training is one "
            "epoch, so this says what works, not how well.\n\n",
            "✓ done, b*n* done with a promise not kept, r*n* refused beforehand, ✗*n* failed; "
            "the numbers are those of the reasons below. An empty cell was not run.\n\n",
            head,
            *rows,
            "\n## Models\n\n| | |\n|---|---|\n",
            *(f"| {model} | {SUBJECTS[model].kind} |\n" for model in models),
            "\n## Recipes\n\n| | |\n|---|---|\n",
            *(f"| {code} | {RECIPES[code].title} |\n" for code in codes),
            *(_section(state, cells, numbers) for state in _SECTIONS),
        )
    )


def _totals(cells: Cells) -> str:
    states = [cell.state for cell in cells.values()]
    models, codes = len({model for model, _ in cells}), len({code for _, code in cells})
    return (
        f"{models} models × {codes} recipes, {len(states)} cells, of which "
        f"{states.count('done')} are done, {states.count('broken')} done with a promise not kept, "
        f"{states.count('refused')} refused beforehand and {states.count('failed')} failed"
    )


def _numbered(cells: Iterable[CellLike]) -> dict[tuple[str, str], int]:
    """(state, reason) → its number among the reasons of that state."""
    reasons = dict.fromkeys((cell.state, cell.reason) for cell in cells)
    seen = dict.fromkeys(_SIGNS, 0)
    numbers = {}
    for state, reason in reasons:
        seen[state] += 1
        numbers[state, reason] = seen[state]
    return numbers


def _sign(cell: CellLike | None, numbers: Mapping[tuple[str, str], int]) -> str:
    if cell is None:
        return ""
    number = numbers[cell.state, cell.reason] if cell.state != "done" else ""
    return f"{_SIGNS[cell.state]}{number}"


def _section(state: str, cells: Cells, numbers: Mapping[tuple[str, str], int]) -> str:
    about: dict[str, dict[str, list[str]]] = {}
    for (model, code), cell in cells.items():
        if cell.state == state:
            about.setdefault(cell.reason, {}).setdefault(model, []).append(code)
    if not about:
        return ""
    title, remark = _SECTIONS[state]
    lines = [
        f"- **{_SIGNS[state]}{numbers[state, reason]}** {' '.join(reason.split())} *("
        + "; ".join(f"{model}: {', '.join(codes)}" for model, codes in where.items())
        + ")*\n"
        for reason, where in about.items()
    ]
    return f"\n## {title}\n\n{remark}\n\n{''.join(lines)}"
