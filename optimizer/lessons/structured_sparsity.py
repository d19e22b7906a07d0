"""Lesson: the same number of zeros in different structures, and what hardware makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from optimizer.lessons.bundled_study import bundled_result
from optimizer.lessons.lesson import Exercise, Lesson, Reference

Form = Literal["unstructured", "n_m", "block", "channels"]
FORMS: Mapping[Form, str] = {
    "unstructured": "Unstructured",
    "n_m": "2:4 pattern",
    "block": "Blocks of 4 × 1",
    "channels": "Output channels",
}
"""How zeros are arranged → what the screen calls it."""

LAYERS = ("conv_2", "conv_3", "dense_1")
"""Layers of the sample whose input channels divide into groups of four."""
SPARSITY = 0.5
_GROUP = 4

_HALF = {"kind": "polynomial", "final_sparsity": SPARSITY}
HALF_UNSTRUCTURED: dict[str, Any] = {"prune": {"schedule": _HALF}}
HALF_CHANNELS: dict[str, Any] = {"prune": {"schedule": _HALF, "structure": {"kind": "channels"}}}

LESSON = Lesson(
    id="structured-sparsity",
    title="Structured against unstructured sparsity",
    question="Half of the multiplications are by zero. Is the network twice as fast?",
    minutes=7,
    terms={
        "unstructured sparsity": "has its zeros wherever single weights mattered least.",
        "N:M sparsity": "has at most N weights other than zero among every M consecutive ones, "
        "such as 2:4.",
        "structured pruning": "removes whole channels or filters, which leaves a smaller dense "
        "network.",
        "multiply-accumulate": "is one multiplication and one addition to a sum, the unit in which "
        "a network's arithmetic is counted.",
    },
    remember=(
        "A dense kernel multiplies by zeros as by anything else: unstructured zeros save download, "
        "not time, unless the runtime has a sparse kernel for that very operator.",
        "The more freely zeros may lie, the less they hurt, and the less hardware can do with "
        "them.",
        "Removed channels are gone for every runtime, though latency may fall less than the "
        "multiply-accumulates do. Measure on the target: which kernels there are differs.",
    ),
    references=(
        Reference(
            "Mishra et al. 2021, Accelerating sparse deep neural networks (2:4)",
            "https://arxiv.org/abs/2104.08378",
        ),
        Reference("Elsen et al. 2020, Fast sparse ConvNets", "https://arxiv.org/abs/1911.09723"),
        Reference(
            "XNNPACK in TFLite: sparse inference",
            "https://github.com/tensorflow/tensorflow/blob/master/tensorflow/lite/delegates/xnnpack/README.md#sparse-inference",
        ),
        Reference(
            "XNNPACK: no sparse rewriting on x86 with AVX",
            "https://android.googlesource.com/platform/external/XNNPACK/+/cfbed0a72f0000eb704eccfb708ab91876fd0ea4",
        ),
        Reference(
            "Arm: pruning and clustering for Ethos-U",
            "https://developer.arm.com/community/arm-community-blogs/b/ai-blog/posts/pruning-clustering-arm-ethos-u-npu",
        ),
        Reference(
            "Li et al. 2017, Pruning filters for efficient ConvNets",
            "https://arxiv.org/abs/1608.08710",
        ),
    ),
    exercises=(
        Exercise.of("50 %, unstructured", **HALF_UNSTRUCTURED),
        Exercise.of("50 %, 2:4 pattern", prune={"structure": {"kind": "n_m", "n": 2, "m": 4}}),
        Exercise.of(
            "50 %, blocks of 4 × 1",
            prune={"schedule": _HALF, "structure": {"kind": "block", "size": [4, 1]}},
        ),
        Exercise.of("Channels, half of the multiply-accumulates", **HALF_CHANNELS),
    ),
    exercise_columns=("metric", "sparsity", "macs", "size", "gzip", "latency", "ratio"),
)

HARDWARE: tuple[tuple[Form, str, str], ...] = (
    (
        "unstructured",
        "XNNPACK has sparse kernels for 1×1 convolutions within certain float graphs; on x86 "
        "processors with AVX it does not use them. Arm's Ethos-U compresses weights and gains "
        "where reading them is what takes time.",
        "XNNPACK; Arm",
    ),
    (
        "n_m",
        "Sparse tensor cores of NVIDIA GPUs since Ampere: up to twice the arithmetic. A CPU's "
        "dense kernels see ordinary zeros.",
        "Mishra et al. 2021",
    ),
    (
        "block",
        "Kernels that are written for blocks, such as those of Elsen et al. for ARM with 2 or 4 "
        "output channels in a block. Dense kernels see ordinary zeros.",
        "Elsen et al. 2020",
    ),
    (
        "channels",
        "Everywhere: the tensors are smaller, and no runtime needs to know.",
        "Li et al. 2017",
    ),
)
"""Form of zeros, where they save time, and who says so."""


@dataclass(frozen=True, eq=False)
class Masked:
    """A kernel with zeros of one form.

    Attributes:
        mask: which weights are kept: bool, shape (output channels, weights of each).
        energy: share of the squared weights that is kept, 0 to 1.
        value_bytes: of the kept weights, float32.
        index_bytes: of saying where they are.
    """

    mask: np.ndarray
    energy: float
    value_bytes: int
    index_bytes: float


def masked(kernel: np.ndarray, form: Form, sparsity: float) -> Masked:
    """Take away the weights that matter least, by magnitude, in one form.

    To say where the kept ones are costs a bit for each weight (unstructured), two bits for each
    kept weight (2:4, as Mishra et al. 2021 store it), a bit for each block, nothing for channels.

    Args:
        kernel: float, output channels first, input channels last and divisible by 4.
        form: of the zeros; a 2:4 pattern has a sparsity of ½ whatever is asked.
        sparsity: share of zeros, 0 to 1.
    """
    flat = kernel.reshape(len(kernel), -1)
    magnitudes = np.abs(flat)
    groups = magnitudes.reshape(len(flat), -1, _GROUP)
    if form == "n_m":
        ranks = np.argsort(np.argsort(-groups, axis=-1, kind="stable"), axis=-1)
        mask = (ranks < 2).reshape(flat.shape)
        bits = 2.0 * mask.sum()
    elif form == "block":
        chosen = _largest(groups.sum(axis=-1), sparsity)
        mask = np.repeat(chosen, _GROUP, axis=1)
        bits = chosen.size
    elif form == "channels":
        chosen = _largest((flat**2).sum(axis=1), sparsity)
        mask = np.repeat(chosen[:, np.newaxis], flat.shape[1], axis=1)
        bits = 0.0
    else:
        mask = _largest(magnitudes, sparsity)
        bits = mask.size
    energy = float((flat[mask] ** 2).sum() / (flat**2).sum())
    return Masked(mask, energy, 4 * int(mask.sum()), bits / 8)


def _largest(scores: np.ndarray, sparsity: float) -> np.ndarray:
    """Which scores are kept when a share of the smallest is taken away; bool, their shape."""
    kept = round(scores.size * (1 - sparsity))
    mask = np.zeros(scores.size, bool)
    mask[np.argsort(-scores.ravel(), kind="stable")[:kept]] = True
    return mask.reshape(scores.shape)


@dataclass(frozen=True)
class Speed:
    """How fast a file of the sample study is.

    Attributes:
        ratio: latency p50 divided by the baseline's; ``interval`` at 95 %.
        macs: multiply-accumulates divided by the baseline's; those with zeros count.
    """

    label: str
    ratio: float
    interval: tuple[float, float]
    macs: float
    sparsity: float


def speeds() -> list[Speed]:
    """The sample study's files of different sparsity, all measured in turns with the baseline."""
    base = bundled_result()
    found = []
    for label, recipe in (
        ("50 % unstructured", HALF_UNSTRUCTURED),
        ("80 % unstructured", {"prune": {}}),
        ("Channels, −50 % MACs", HALF_CHANNELS),
    ):
        result = bundled_result(recipe)
        ratio = (result.latency and result.latency.ratio) or float("nan")
        found.append(
            Speed(
                label,
                ratio,
                (result.latency and result.latency.ratio_ci) or (ratio, ratio),
                (result.macs or 0) / (base.macs or 1),
                result.sparsity or 0.0,
            )
        )
    return found
