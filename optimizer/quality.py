"""How much worse one metric is than another, on the one scale that all limits use."""

from __future__ import annotations


def lost(value: float | None, base: float | None, higher_is_better: bool) -> float:
    """What a variant lost against the baseline; negative where it gained.

    Args:
        value: the variant's metric; ``None`` when it was not measured.
        base: the baseline's.
        higher_is_better: ``False`` for errors.

    Returns:
        For shares the difference (0.01 is one point); for an error half the share by which it
        grew, so that 0.01 stands for 2 %. Infinite when one of them was not measured.
    """
    if value is None or base is None:
        return float("inf")
    if higher_is_better:
        return base - value
    return (value / base - 1) / 2 if base else value
