"""The operators of a ``.tflite`` in the order they run, with the weights each uses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from optimizer.measure.flatbuffer import Graph, Operator, parse
from optimizer.measure.layer_names import layer_name
from optimizer.measure.macs import operator_macs
from optimizer.measure.weights import (
    Weight,
    constants_passed_on,
    read_weights,
    uniquely_named,
    weights_of,
)


@dataclass(frozen=True)
class WeightChange:
    """How far weights are from the baseline's.

    Attributes:
        rms_relative: root mean square of the difference, divided by that of the baseline.
        sqnr_db: signal to quantization noise: 20 · log10(1 / ``rms_relative``); ``None`` when
            nothing differs.
    """

    rms_relative: float
    sqnr_db: float | None


@dataclass(frozen=True)
class OperatorFacts:
    """One operator, as the file has it.

    Attributes:
        index: counted from 0 in the order the runtime executes them.
        kind: TFLite's name, such as ``CONV_2D``.
        layer: the model's layer it belongs to as far as its names tell, else its kind.
        output_shape, output_dtype: of its first output.
        macs: multiply-accumulates of one inference; 0 where they are not counted.
        labels: its weights, see :attr:`Weight.label`.
        weight_dtype: of its first weight; ``None`` without weights, as what follows.
        weight_bytes: of all its weights in the file.
        sparsity: share of zeros in them, 0 to 1.
        distinct: the most distinct values in one of them, per channel where each has its scale.
        change: of its weights against the baseline's of the same layer, where both have the
            same shape.
        rounding_relative: what rounding to the stored steps adds, *estimated* from the scale as
            scale / √12 (rounding errors spread evenly over a step), as a share of the root mean
            square of the weights; ``None`` for weights in floating point.
    """

    index: int
    kind: str
    layer: str
    output_shape: tuple[int, ...]
    output_dtype: str
    macs: int
    labels: tuple[str, ...]
    weight_dtype: str | None
    weight_bytes: int | None
    sparsity: float | None
    distinct: int | None
    change: WeightChange | None
    rounding_relative: float | None


def operator_facts(
    data: bytes, baseline: bytes | None = None, known_layers: Collection[str] = ()
) -> list[OperatorFacts]:
    """Every operator of the main graph that computes something, in the order they run.

    Args:
        data: a ``.tflite``.
        baseline: the file whose weights it is compared with; ``None`` compares with nothing.
        known_layers: Keras layer names.

    Raises:
        InputError: see :func:`optimizer.measure.flatbuffer.parse`.
    """
    known = frozenset(known_layers)
    graph = parse(data)[0]
    weights = {weight.index: weight for weight in main_weights(graph, known)}
    before = {}
    if baseline is not None:
        before = {weight.label: weight for weight in main_weights(parse(baseline)[0], known)}
    sources = constants_passed_on(graph)
    return [
        _facts(graph, index, operator, [weights[i] for i in used], before, known)
        for index, operator in enumerate(graph.operators)
        if not _only_decodes(operator, sources)
        for used in [[i for i, _ in weights_of(graph, operator, sources)]]
    ]


def main_weights(graph: Graph, known: frozenset[str]) -> list[Weight]:
    """The weights of a file's first graph, labelled as :class:`TfliteFile` labels them."""
    return list(uniquely_named(list(read_weights(graph, known))))


def weight_change(before: np.ndarray, after: np.ndarray) -> WeightChange | None:
    """How far weights moved.

    Args:
        before, after: real values.

    Returns:
        ``None`` for other shapes, or where the baseline's weights are all zero.
    """
    if before.shape != after.shape:
        return None
    first, second = before.astype(np.float64), after.astype(np.float64)
    signal, noise = (first**2).sum(), ((second - first) ** 2).sum()
    if not signal > 0:
        return None
    return WeightChange(
        float(np.sqrt(noise / signal)), float(10 * np.log10(signal / noise)) if noise else None
    )


def _only_decodes(operator: Operator, sources: dict[int, int]) -> bool:
    """Whether an operator only decodes a constant, which the runtime does once and not per run."""
    return bool(operator.outputs) and operator.outputs[0] in sources


def _facts(
    graph: Graph,
    index: int,
    operator: Operator,
    weights: list[Weight],
    before: dict[str, Weight],
    known: frozenset[str],
) -> OperatorFacts:
    output = graph.tensors[operator.outputs[0]] if operator.outputs else None
    name = layer_name("", output.name if output else "", operator.kind, known)
    size = sum(weight.stored.size for weight in weights)
    return OperatorFacts(
        index=index,
        kind=operator.kind,
        layer=weights[0].name.split(" (")[0] if weights else name,
        output_shape=output.shape if output else (),
        output_dtype=output.dtype if output else "none",
        macs=operator_macs(graph, operator),
        labels=tuple(weight.label for weight in weights),
        weight_dtype=weights[0].dtype if weights else None,
        weight_bytes=sum(weight.size_bytes for weight in weights) if weights else None,
        sparsity=sum(weight.zeros for weight in weights) / size if size else None,
        distinct=max((weight.distinct_shared for weight in weights), default=None),
        change=_change(weights, before),
        rounding_relative=_rounding(weights),
    )


def _change(weights: list[Weight], before: dict[str, Weight]) -> WeightChange | None:
    pairs = [(before[weight.label], weight) for weight in weights if weight.label in before]
    if not weights or len(pairs) != len(weights):
        return None
    if any(first.shape != second.shape for first, second in pairs):
        return None
    return weight_change(
        np.concatenate([first.dequantized().ravel() for first, _ in pairs]),
        np.concatenate([second.dequantized().ravel() for _, second in pairs]),
    )


def _rounding(weights: list[Weight]) -> float | None:
    """See :attr:`OperatorFacts.rounding_relative`."""
    noise = signal = 0.0
    for weight in weights:
        if weight.quantization is None:
            return None
        scales = weight.quantization.scale.astype(np.float64)
        noise += float((scales**2).mean()) / 12 * weight.stored.size
        signal += float((weight.dequantized().astype(np.float64) ** 2).sum())
    return float(np.sqrt(noise / signal)) if signal else None
