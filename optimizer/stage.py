"""The shape of a stage: a pure function from parameters and files to files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

Files = dict[str, bytes]
"""What a stage returns, and receives from the stages before it: file name → content."""


class Progress(Protocol):
    """Told by a stage how far it is.

    Args:
        fraction: share of the stage's work done, 0 to 1; ``None`` when it cannot be known.
        message: a short phrase for a person, such as ``epoch 2 of 3``.
        numbers: what is worth showing beside it (``epoch``, ``epochs``, ``loss``).
    """

    def __call__(self, fraction: float | None, message: str, **numbers: float) -> None:
        """Report how far the stage is."""


StageFunction = Callable[[Mapping[str, Any], Mapping[str, Files], Progress], Files]


def ignore_progress(fraction: float | None, message: str, **numbers: float) -> None:
    """A :class:`Progress` for callers that do not listen."""
