"""What a person wants of a model: where it will run, what matters most, what may be lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from optimizer.data.objective import LOWER_IS_BETTER
from optimizer.format import is_share, metric_words

Target = Literal["cpu", "gpu", "micro", "npu"]
TARGETS: dict[Target, str] = {
    "cpu": "Phone CPU",
    "gpu": "Phone GPU",
    "micro": "Microcontroller",
    "npu": "NPU or Edge TPU",
}
"""Where the model will run → what the screen calls it."""

Priority = Literal["download", "flash", "latency", "accuracy", "memory"]
PRIORITIES: dict[Priority, str] = {
    "download": "Download size",
    "flash": "Size in flash",
    "latency": "Latency",
    "accuracy": "Accuracy",
    "memory": "Memory while running",
}
"""What matters most → what the screen calls it."""


@dataclass(frozen=True)
class Wish:
    """The answers to the three questions.

    Attributes:
        may_lose: of the study's metric, on the scale of :func:`optimizer.quality.lost`; ``None``
            where there are no labels to measure it with.
    """

    target: Target = "cpu"
    priority: Priority = "download"
    may_lose: float | None = 0.01


@dataclass(frozen=True)
class LossScale:
    """How a loss of one metric is asked for and said.

    Attributes:
        label: of the field.
        default: sensible value, in the field's unit.
        step: of the field.
        per_unit: what one unit of the field is on the scale of :func:`optimizer.quality.lost`.
    """

    label: str
    default: float
    step: float
    per_unit: float


def loss_scale(metric: str) -> LossScale:
    """How to ask what may be lost of a metric: points, per cent of an error, or as it is."""
    lower = metric_words(metric)
    if is_share(metric):
        return LossScale(f"May be lost of the {lower} (points)", 1.0, 0.5, 0.01)
    if metric in LOWER_IS_BETTER:
        return LossScale(f"By how much the {lower} may grow (%)", 2.0, 1.0, 0.005)
    return LossScale(f"May be lost of the {lower}", 0.01, 0.01, 1.0)


def amount_text(loss: float, metric: str) -> str:
    """A loss without its direction: ``0.67 points``, ``3.2 %``, ``0.012``.

    Args:
        loss: on the scale of :func:`optimizer.quality.lost`; its sign is left out.
        metric: the study's.
    """
    size = abs(loss)
    if is_share(metric):
        points = f"{100 * size:.2f}".rstrip("0").rstrip(".")
        return f"{points} point{'s' * (points != '1')}"
    if metric in LOWER_IS_BETTER:
        return f"{float(f'{200 * size:.3g}'):g} %"
    return f"{float(f'{size:.3g}'):g}"


def loss_text(loss: float, metric: str) -> str:
    """A measured loss as a verb phrase: ``loses 0.67 points``, ``gains 0.2 points``.

    Args:
        loss: on the scale of :func:`optimizer.quality.lost`; finite.
        metric: the study's.
    """
    if abs(loss) < 5e-7:
        return "loses nothing"
    amount = amount_text(loss, metric)
    if metric in LOWER_IS_BETTER:
        return f"has an error {amount} {'larger' if loss > 0 else 'smaller'}"
    return f"{'loses' if loss > 0 else 'gains'} {amount}"


def loss_beyond(loss: float, metric: str, other: str) -> str:
    """More lost than another: ``loses 1.2 points more than “prune 50%”``.

    Args:
        loss: the difference, on the scale of :func:`optimizer.quality.lost`; positive.
        metric: the study's.
        other: a variant's name.
    """
    if metric in LOWER_IS_BETTER:
        amount = amount_text(loss, metric)
        return f"has an error larger by {amount} of the baseline's than “{other}”"
    return f"loses {amount_text(loss, metric)} more than “{other}”"


def limit_text(may_lose: float, metric: str) -> str:
    """A limit as a clause: ``1 point may be lost``, ``the error may grow by 2 %``."""
    amount = amount_text(may_lose, metric)
    if metric in LOWER_IS_BETTER:
        return f"the error may grow by {amount}"
    return f"{amount} may be lost"
