"""Weight histograms as plain data, for charts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.errors import InputError


@dataclass(frozen=True)
class WeightHistogram:
    """Two sets of weights counted in the same bins; exact zeros apart.

    Attributes:
        edges: bin edges, ascending, one more than there are bins.
        before, after: non-zero weights per bin.
        before_zeros, after_zeros: weights that are exactly zero.
    """

    edges: tuple[float, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    before_zeros: int
    after_zeros: int


def weight_histogram(before: np.ndarray, after: np.ndarray, bins: int = 60) -> WeightHistogram:
    """Count two sets of real weights in shared bins over their common range.

    Zeros are counted apart, because the zeros of a pruned layer would dwarf all other bars.

    Args:
        before, after: real (dequantized) weights, any shapes.
        bins: number of bins.

    Raises:
        InputError: ``bins`` is not positive.
    """
    if bins < 1:
        raise InputError(f"A histogram needs at least one bin; received {bins}.")
    first, second = (np.asarray(a, np.float64).ravel() for a in (before, after))
    first, second = first[np.isfinite(first)], second[np.isfinite(second)]
    kept = [values[values != 0] for values in (first, second)]
    both = np.concatenate(kept)
    edges = np.histogram_bin_edges(both, bins)
    counts = [np.histogram(values, edges)[0].tolist() for values in kept]
    return WeightHistogram(
        edges=tuple(edges.tolist()),
        before=tuple(counts[0]),
        after=tuple(counts[1]),
        before_zeros=int((first == 0).sum()),
        after_zeros=int((second == 0).sum()),
    )
