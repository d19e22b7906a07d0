"""A Gaussian process over choices: what a candidate's figure will probably be, and how surely.

The kernel is half a sum over choice points, which lets what one alternative does be learnt from
every candidate that has it (Duvenaud et al. 2011, "Additive Gaussian processes",
arXiv:1112.4394), and half a product, which lets alternatives work together. Numbers such as
sparsities are near each other as their ranks are; other alternatives are all equally far apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from optimizer.search.space import Choices, Space

_ABSENT = -1.0
_LENGTHS = (0.3, 0.7, 1.5, 3.0, 8.0)
_NOISES = (1e-3, 1e-2, 1e-1)
_SWEEPS = 2


class Coordinates:
    """Choices as rows of numbers.

    Args:
        space: whose choice points become columns.
    """

    def __init__(self, space: Space) -> None:
        self._ranks: dict[str, list[float] | None] = {}
        for path, count in space.counts.items():
            scale = space.scales.get(path)
            if scale is None or len(scale) < count:
                self._ranks[path] = None
            else:
                order = np.argsort(np.argsort(scale))
                self._ranks[path] = [float(rank) / max(1, len(scale) - 1) for rank in order]
        self.numeric = np.array([ranks is not None for ranks in self._ranks.values()])

    def rows(self, each: Sequence[Choices]) -> np.ndarray:
        """float64, shape (candidates, choice points); -1 where a point was not asked."""
        return np.array([[self._place(path, made) for path in self._ranks] for made in each])

    def _place(self, path: str, made: Choices) -> float:
        if path not in made:
            return _ABSENT
        ranks = self._ranks[path]
        return float(made[path]) if ranks is None else ranks[made[path]]

    def distances(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Squared distance in each choice point, shape (len(a), len(b), choice points)."""
        left, right = a[:, None, :], b[None, :, :]
        apart = np.where(self.numeric, (left - right) ** 2, (left != right).astype(float))
        one_absent = (left == _ABSENT) != (right == _ABSENT)
        # Absent lies one step beside the middle of the numbers, so that the distances are those
        # of points in space, which the kernel needs.
        beside = 1.0 + np.where(self.numeric, (np.maximum(left, right) - 0.5) ** 2, 0.0)
        return np.where(one_absent, beside, apart)


class Surrogate:
    """The posterior of one figure after some observations.

    How far each choice point matters (its length), and the noise, are those with the largest
    likelihood among a few values, found one after the other.
    Source: Rasmussen & Williams 2006, "Gaussian processes for machine learning", algorithm 2.1
    and section 5.1.

    Args:
        coordinates: of the space.
        rows: where it was observed, shape (n, choice points), n ≥ 1.
        values: what was observed, shape (n,).
    """

    def __init__(self, coordinates: Coordinates, rows: np.ndarray, values: np.ndarray) -> None:
        self._coordinates, self._rows = coordinates, rows
        self._mean = float(values.mean())
        self._scale = float(values.std()) or 1.0
        self._target = (values - self._mean) / self._scale
        self._distances = coordinates.distances(rows, rows)
        lengths, noise = np.full(rows.shape[1], _LENGTHS[1]), _NOISES[1]
        for _ in range(_SWEEPS):
            for index in range(len(lengths)):
                tried = [np.where(np.arange(len(lengths)) == index, x, lengths) for x in _LENGTHS]
                lengths = max(tried, key=lambda each: self._fit(each, noise)[0])
            noise = max(_NOISES, key=lambda each: self._fit(lengths, each)[0])
        self._lengths = lengths
        _, self._factor, self._weights = self._fit(lengths, noise)

    def _fit(self, lengths: np.ndarray, noise: float) -> tuple[float, np.ndarray, np.ndarray]:
        covariance = _kernel(self._distances, lengths) + noise * np.eye(len(self._target))
        factor = np.linalg.cholesky(covariance)
        weights = np.linalg.solve(factor.T, np.linalg.solve(factor, self._target))
        likelihood = -0.5 * float(self._target @ weights) - float(np.log(np.diag(factor)).sum())
        return likelihood, factor, weights

    def predict(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation at some rows, each of shape (len(rows),)."""
        cross = _kernel(self._coordinates.distances(rows, self._rows), self._lengths)
        mean = cross @ self._weights
        spread = np.linalg.solve(self._factor, cross.T)
        variance = np.clip(1.0 - (spread**2).sum(axis=0), 1e-9, None)
        return self._mean + self._scale * mean, self._scale * np.sqrt(variance)


def _kernel(distances: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    each = np.exp(-distances / (2 * lengths**2))
    return 0.5 * each.mean(axis=-1) + 0.5 * each.prod(axis=-1)


def below(limit: float, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """The chance that a normal variable is below a limit."""
    return _cdf((limit - mean) / deviation)


def expected_improvement(best: float, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """By how much a normal variable is below ``best``, on average (Jones et al. 1998)."""
    z = (best - mean) / deviation
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    return np.clip((best - mean) * _cdf(z) + deviation * density, 0.0, None)


def _cdf(z: np.ndarray) -> np.ndarray:
    erf: np.ndarray = np.vectorize(math.erf, otypes=[float])(z / math.sqrt(2))
    return 0.5 * (1 + erf)
