"""What every search tries first: what needs no training, then extremes and the middle."""

from __future__ import annotations

from collections.abc import Iterable

from optimizer.search.space import Candidate, Space

_MOST_UNTRAINED = 8
_MOST_TRAINED = 6


def start_candidates(space: Space) -> list[Candidate]:
    """A few well-spread candidates, in the order to try them.

    Recipes that only convert and quantize cost seconds and say what the number formats do to
    the file and to the metric. Of those that train, the middle of the numbers and their ends
    are taken, all other alternatives being what the least training asks for: a model of the
    figures then interpolates rather than extrapolates.
    """
    untrained = [c for c in space.candidates if not c.training][:_MOST_UNTRAINED]
    return untrained + _corners(space)


def _corners(space: Space) -> list[Candidate]:
    """Trained candidates nearest to the middle and the ends of their numbers."""
    trained = [c for c in space.candidates if c.training]
    if not trained:
        return []
    scaled = [path for path in space.counts if path in space.scales]
    wholly = max((sum(path in c.choices for path in scaled) for c in trained), default=0)
    full = [c for c in trained if sum(path in c.choices for path in scaled) == wholly]
    chosen: dict[str, Candidate] = {}
    for place in _places(min(wholly, 2)):
        nearest = min(full, key=lambda c: (_distance(space, c, place), len(c.training)))
        chosen.setdefault(nearest.key, nearest)
    return list(chosen.values())[:_MOST_TRAINED]


def _places(dimensions: int) -> Iterable[tuple[float, ...]]:
    """The middle and the two ends of the diagonal, of a unit square or line."""
    for place in (0.5, 0.0, 1.0):
        yield (place,) * dimensions


def _distance(space: Space, candidate: Candidate, place: tuple[float, ...]) -> float:
    ranks = [
        sorted(space.scales[path]).index(space.scales[path][index])
        / max(1, len(space.scales[path]) - 1)
        for path, index in candidate.choices.items()
        if path in space.scales
    ]
    return sum((rank - wanted) ** 2 for rank, wanted in zip(ranks, place, strict=False))
