"""The stage ``inspect_activations``: how far each operator's output is from what it should be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from optimizer.data.arrays import load_arrays
from optimizer.errors import FeatherweightError
from optimizer.inspection.float_twin import float_twin
from optimizer.inspection.layers import main_weights
from optimizer.inspection.profile import computing_operators
from optimizer.measure.accuracy import ends_of
from optimizer.measure.flatbuffer import Graph, parse
from optimizer.measure.interpreter import Ends, run_each
from optimizer.measure.weights import constants_passed_on, weights_of
from optimizer.stage import Files, Progress

SAMPLES = 64
"""Test samples that go through, spread evenly over the test set."""
MAX_VALUES = 2**28
"""Values of all outputs of one sample times samples, at most: fewer samples of a large model."""


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Run a variant and its references on test samples and compare every operator's output.

    Two references: the file itself *interpreted in floating point* (see
    :mod:`optimizer.inspection.float_twin`), which tells what quantizing activations costs, and
    the *baseline*, layer by layer, which tells what the whole recipe changed.

    Args:
        params: ``inputs``, the model's names.
        inputs: ``variant`` and ``baseline`` with ``model.tflite`` and ``conversion.json``; ``data``
            with ``arrays.npz``.
        progress: told after each sample.

    Returns:
        ``inspection.json``: ``samples``; ``quantized``, whether anything in the file is;
        ``operators``: index → ``twin`` and ``baseline``, each the root mean square of the
        difference divided by that of the reference, accumulated from the input up to there, or
        ``None``; ``unavailable``: a reference that could not be run → why.
    """
    arrays = load_arrays(inputs["data"])
    xs = arrays.inputs_for(params.get("inputs") or arrays.input_names, "test")
    data, baseline = (inputs[name]["model.tflite"] for name in ("variant", "baseline"))
    graph = parse(data)[0]
    operators = computing_operators(data)
    count = max(1, min(SAMPLES, MAX_VALUES // max(1, _values_of(graph))))
    chosen = np.linspace(0, len(xs[0]) - 1, min(count, len(xs[0]))).round().astype(np.int64)
    xs = [x[chosen] for x in xs]
    ends = ends_of(inputs["variant"])
    outputs = {index: graph.operators[index].outputs[0] for index in operators}
    twin = float_twin(data)
    errors: dict[str, dict[int, float | None]] = {"twin": {}, "baseline": {}}
    unavailable: dict[str, str] = {}
    if twin is not None:
        pairs = {index: (out, twin.same.get(out, out)) for index, out in outputs.items()}
        try:
            errors["twin"] = _compare(
                _runs(data, twin.data, xs, ends, ends), pairs, progress, 0.0, len(chosen)
            )
        except FeatherweightError as error:
            unavailable["twin"] = str(error)
    if baseline != data:
        try:
            errors["baseline"] = _compare(
                _runs(data, baseline, xs, ends, ends_of(inputs["baseline"])),
                _same_layers(graph, parse(baseline)[0]),
                progress,
                0.5,
                len(chosen),
            )
        except FeatherweightError as error:
            unavailable["baseline"] = str(error)
    found = {
        "samples": len(chosen),
        "quantized": twin is not None,
        "operators": {
            str(index): {name: each.get(index) for name, each in errors.items()}
            for index in operators
        },
        "unavailable": unavailable,
    }
    return {"inspection.json": json.dumps(found).encode()}


def _runs(
    data: bytes, reference: bytes, xs: Sequence[np.ndarray], ends: Ends, reference_ends: Ends
) -> Iterator[tuple[Interpreter, Interpreter]]:
    return zip(run_each(data, xs, ends), run_each(reference, xs, reference_ends), strict=True)


def _compare(
    runs: Iterator[tuple[Interpreter, Interpreter]],
    pairs: Mapping[int, tuple[int, int]],
    progress: Progress,
    begin: float,
    samples: int,
) -> dict[int, float | None]:
    """Relative error of each operator over all samples.

    Args:
        runs: the interpreters of file and reference after each sample.
        pairs: operator → its tensor in the file, and the reference's.
        progress: told after each sample.
        begin: share of the stage done before; this is half of it.
        samples: how many there are.
    """
    noise, signal = dict.fromkeys(pairs, 0.0), dict.fromkeys(pairs, 0.0)
    known = set(pairs)
    details: list[dict[int, dict[str, Any]]] = []
    for number, interpreters in enumerate(runs):
        details = details or [
            {entry["index"]: entry for entry in each.get_tensor_details()} for each in interpreters
        ]
        for operator in list(known):
            got, wanted = (
                _value(interpreter, entries.get(index))
                for interpreter, entries, index in zip(
                    interpreters, details, pairs[operator], strict=True
                )
            )
            if got is None or wanted is None or got.size != wanted.size:
                known.discard(operator)
                continue
            signal[operator] += float((wanted**2).sum())
            noise[operator] += float(((got.reshape(wanted.shape) - wanted) ** 2).sum())
        progress(begin + 0.5 * (number + 1) / samples, f"{number + 1} of {samples} samples")
    return {
        operator: float(np.sqrt(noise[operator] / signal[operator])) if signal[operator] else None
        for operator in sorted(known)
    }


def _value(interpreter: Interpreter, details: Mapping[str, Any] | None) -> np.ndarray | None:
    """A tensor's real values, float64; ``None`` when it has none or they are not numbers."""
    if details is None or not np.issubdtype(details["dtype"], np.number):
        return None
    try:
        stored = interpreter.get_tensor(details["index"]).astype(np.float64)
    except (ValueError, RuntimeError):
        return None
    quantization = details["quantization_parameters"]
    if len(quantization["scales"]) == 1:
        stored = (stored - quantization["zero_points"][0]) * float(quantization["scales"][0])
    elif np.issubdtype(details["dtype"], np.integer):
        return None  # indices and shapes
    return stored if np.isfinite(stored).all() else None


def _same_layers(graph: Graph, baseline: Graph) -> dict[int, tuple[int, int]]:
    """Operator with weights → its output and that of the baseline's operator of the same layer."""
    first, second = _labelled(graph), _labelled(baseline)
    return {
        index: (output, second[label][1])
        for label, (index, output) in first.items()
        if label in second
    }


def _labelled(graph: Graph) -> dict[str, tuple[int, int]]:
    """Label of an operator's first weight → its index and its output."""
    labels = {weight.index: weight.label for weight in main_weights(graph, frozenset())}
    sources = constants_passed_on(graph)
    found: dict[str, tuple[int, int]] = {}
    for index, operator in enumerate(graph.operators):
        for weight, _ in weights_of(graph, operator, sources):
            found.setdefault(labels[weight], (index, operator.outputs[0]))
            break
    return found


def _values_of(graph: Graph) -> int:
    """Values that all operators compute for one sample."""
    return sum(
        int(np.prod([max(1, size) for size in graph.tensors[index].shape]))
        for operator in graph.operators
        for index in operator.outputs
        if index >= 0
    )
