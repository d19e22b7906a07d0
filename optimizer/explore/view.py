"""Everything chosen on the Explore page, as a value that an address carries and reopens."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from optimizer.explore.budgets import Budget, budget
from optimizer.explore.recommend import goals
from optimizer.explore.table import FACETS, Table

_X = ("gzip", "size", "parameters", "macs", "latency")
_Y = ("metric", "agreement", "latency", "ratio", "macs")
_MORE = ("ratio",)
"""What the page begins with, of what was measured, the first first."""
_BUDGET = "budget_"
_NO_LIMIT = "none"
MOST_CHOSEN = 12
"""More variants side by side than this are no comparison."""
_SHOWN_LENGTH = 40


@dataclass(frozen=True)
class View:
    """The page's choices.

    Attributes:
        color: the third measure, or ``None``.
        more: measures that have a budget and an axis in the overview besides.
        goal: one of :data:`optimizer.explore.recommend.GOALS`; ``None`` where none is possible.
        limits: measure → chosen limit, ``None`` for no limit; the others have their default.
        filters: facet → values; no entry means all.
        only_within: whether what misses a budget is left out of charts and table.
        chosen: ids of the variants side by side.
    """

    x: str
    y: str
    color: str | None = None
    more: tuple[str, ...] = ()
    goal: str | None = None
    limits: Mapping[str, float | None] = field(default_factory=dict)
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    only_within: bool = False
    chosen: tuple[str, ...] = ()

    @property
    def front_keys(self) -> tuple[str, ...]:
        """The two or three measures of the front."""
        return (self.x, self.y, self.color) if self.color else (self.x, self.y)

    @property
    def keys(self) -> tuple[str, ...]:
        """All measures that are shown."""
        return tuple(dict.fromkeys((*self.front_keys, *self.more)))

    def budgets(self, table: Table) -> dict[str, Budget]:
        """The sliders of the measures that are shown."""
        return {key: budget(table, key) for key in self.keys}

    def limits_of(self, budgets: Mapping[str, Budget]) -> dict[str, float | None]:
        """Each budget's limit, chosen or default, as the slider can show it."""
        limits: dict[str, float | None] = {}
        for key, offered in budgets.items():
            limit = self.limits.get(key, offered.default)
            limits[key] = None if limit is None else offered.snapped(limit)
        return limits


def default_view(table: Table) -> View | None:
    """What the page opens with; ``None`` when fewer than two measures were taken."""
    known = list(table.measures)
    if len(known) < 2:
        return None
    x = next((key for key in _X if key in known), known[0])
    y = next((key for key in _Y if key in known and key != x), None)
    y = y or next(key for key in known if key != x)
    more = tuple(key for key in _MORE if key in known and key not in (x, y))
    return View(x, y, None, more, next(iter(goals(table)), None))


def settled(view: View, table: Table) -> View:
    """The view with each measure in one place only, and nothing that is not there."""
    first = default_view(table)
    if first is None:
        return view
    x = view.x if view.x in table.measures else first.x
    y = view.y if view.y in table.measures and view.y != x else None
    y = y or next(key for key in (first.y, first.x, *table.measures) if key != x)
    color = view.color if view.color in table.measures and view.color not in (x, y) else None
    more = tuple(key for key in view.more if key in table.measures and key not in (x, y, color))
    goal = view.goal if view.goal in goals(table) else first.goal
    filters = {
        facet: kept
        for facet, values in view.filters.items()
        if facet in FACETS and (kept := tuple(v for v in values if v in table.facets[facet]))
    }
    chosen = tuple(dict.fromkeys(item for item in view.chosen if item in table.places))
    return replace(
        view,
        x=x,
        y=y,
        color=color,
        more=more,
        goal=goal,
        filters=filters,
        chosen=chosen[:MOST_CHOSEN],
    )


def to_query(view: View, table: Table) -> dict[str, str]:
    """The address's parameters for a view: whatever differs from :func:`default_view`."""
    first = default_view(table)
    if first is None:
        return {}
    budgets = view.budgets(table)
    query = {"x": view.x, "y": view.y, "color": view.color or "", "goal": view.goal or ""}
    query["more"] = ",".join(view.more) or _NO_LIMIT
    default = {"x": first.x, "y": first.y, "color": "", "goal": first.goal or ""}
    default["more"] = ",".join(first.more) or _NO_LIMIT
    changed = {name: text for name, text in query.items() if text != default[name]}
    for key, limit in view.limits_of(budgets).items():
        if limit != budgets[key].default:
            changed[_BUDGET + key] = _NO_LIMIT if limit is None else f"{limit:.9g}"
    changed |= {facet: ",".join(values) for facet, values in view.filters.items() if values}
    if view.only_within:
        changed["within"] = "yes"
    if view.chosen:
        changed["compare"] = ",".join(view.chosen)
    return changed


def names_view(name: str) -> bool:
    """Whether a parameter of the address belongs to a view."""
    return name in (*_READERS, *FACETS) or name.startswith(_BUDGET)


def from_query(query: Mapping[str, str], table: Table) -> tuple[View, list[str]]:
    """Read an address, however mangled it is.

    Args:
        query: the address's parameters; those of other pages are passed over.

    Returns:
        A view that can be shown, and a sentence for each thing that could not be followed.

    Raises:
        ValueError: fewer than two measures were taken (see :func:`default_view`).
    """
    view = default_view(table)
    if view is None:
        raise ValueError("a view needs at least two measures")
    problems: list[str] = []
    for name, read in _READERS.items():
        if name in query:
            view = read(view, query[name], table, problems)
    if view.x == view.y and "y" in query:
        problems.append("The measures x and y are the same; y shows another.")
    if view.color in (view.x, view.y):
        problems.append("The measure for the colour is on an axis already.")
    filters = {}
    for facet, title in FACETS.items():
        if facet in query:
            known = list(table.facets[facet])
            filters[facet] = _several(query[facet], known, f"the filter {title}", problems)
    view = settled(replace(view, filters=filters), table)
    return _with_limits(view, query, table, problems), problems


def _x(view: View, text: str, table: Table, problems: list[str]) -> View:
    return replace(view, x=_one(text, list(table.measures), "measure x", view.x, problems))


def _y(view: View, text: str, table: Table, problems: list[str]) -> View:
    return replace(view, y=_one(text, list(table.measures), "measure y", view.y, problems))


def _color(view: View, text: str, table: Table, problems: list[str]) -> View:
    found = _one(text, ["", *table.measures], "measure for the colour", "", problems)
    return replace(view, color=found or None)


def _more(view: View, text: str, table: Table, problems: list[str]) -> View:
    if text == _NO_LIMIT:
        return replace(view, more=())
    return replace(view, more=_several(text, list(table.measures), "further measures", problems))


def _goal(view: View, text: str, table: Table, problems: list[str]) -> View:
    known = list(goals(table))
    return replace(view, goal=_one(text, known, "goal", view.goal or "", problems) or None)


def _within(view: View, text: str, table: Table, problems: list[str]) -> View:
    return replace(view, only_within=_one(text, ["yes", "no"], "within", "no", problems) == "yes")


def _compare(view: View, text: str, table: Table, problems: list[str]) -> View:
    asked = list(dict.fromkeys(part for part in text.split(",") if part))
    here = tuple(item for item in asked if item in table.places)
    if gone := len(asked) - len(here):
        them = "variant is" if gone == 1 else "variants are"
        problems.append(f"{gone} chosen {them} not in this study; deleted, perhaps.")
    if len(here) > MOST_CHOSEN:
        problems.append(f"Only the first {MOST_CHOSEN} of {len(here)} variants are compared.")
    return replace(view, chosen=here[:MOST_CHOSEN])


_READERS: dict[str, Callable[[View, str, Table, list[str]], View]] = {
    "x": _x,
    "y": _y,
    "color": _color,
    "more": _more,
    "goal": _goal,
    "within": _within,
    "compare": _compare,
}


def _one(text: str, known: Sequence[str], what: str, otherwise: str, problems: list[str]) -> str:
    if text in known:
        return text
    shown = f"“{text[:_SHOWN_LENGTH]}” is not known or not measured in this study"
    problems.append(f"The {what} {shown}.")
    return otherwise


def _several(text: str, known: Sequence[str], what: str, problems: list[str]) -> tuple[str, ...]:
    asked = list(dict.fromkeys(part for part in text.split(",") if part))
    problems += [
        f"“{part[:_SHOWN_LENGTH]}” in {what} does not occur in this study; left out."
        for part in asked
        if part not in known
    ]
    return tuple(part for part in asked if part in known)


def _with_limits(view: View, query: Mapping[str, str], table: Table, problems: list[str]) -> View:
    budgets = view.budgets(table)
    limits: dict[str, float | None] = {}
    for name, text in query.items():
        key = name.removeprefix(_BUDGET)
        if key == name:
            continue
        if key in budgets:
            limits |= _limit(text, budgets[key], problems)
        else:
            shown = key[:_SHOWN_LENGTH]
            problems.append(f"There is no budget for “{shown}” among the measures shown.")
    return replace(view, limits=limits)


def _limit(text: str, offered: Budget, problems: list[str]) -> dict[str, float | None]:
    """The measure with its limit; empty, so that the default counts, for what is no number."""
    key, label = offered.measure.key, offered.measure.label
    if text == _NO_LIMIT:
        return {key: None}
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit):
        problems.append(f"The budget “{text[:_SHOWN_LENGTH]}” for {label} is not a number.")
        return {}
    low, high = offered.options[0], offered.options[-1]
    if not low <= limit <= high:
        problems.append(
            f"The budget {limit:g} for {label} is outside the slider, "
            f"{offered.show(low)} to {offered.show(high)}; the nearest is set."
        )
        limit = min(max(limit, low), high)
    return {key: offered.snapped(limit)}
