"""What the screens say about a model without Keras layers: read out of a TFLite file.

Runs in stage processes only: the runtime is native code, and the file may be damaged.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from optimizer.errors import InputError, reason_of
from optimizer.measure.flatbuffer import Graph, parse
from optimizer.measure.interpreter import dequantize, quantize
from optimizer.measure.tflite_file import TfliteFile
from optimizer.measure.weights import Weight
from optimizer.models.inspect import ModelFile
from optimizer.models.verify import known_shape, random_array

_ACTIVATIONS = {
    "HARD_SWISH": "hard_silu",
    "LOGISTIC": "sigmoid",
    "LOG_SOFTMAX": "log_softmax",
    "RELU": "relu",
    "SOFTMAX": "softmax",
    "TANH": "tanh",
}
_PASSING_ON = frozenset({"DEQUANTIZE", "QUANTIZE", "RESHAPE", "SQUEEZE"})
_INDEXED = {"GATHER": 0, "EMBEDDING_LOOKUP": 1}
"""Operators that take indices, and which of their inputs is the table."""


def file_facts(file: ModelFile, tflite: bytes, reason: str) -> dict[str, Any]:
    """``facts.json`` for a model that is known by its TFLite file only.

    Args:
        file: the upload.
        tflite: the file itself, or the SavedModel's conversion to float32.
        reason: why no layer can be trained, a sentence.

    Returns:
        As :func:`optimizer.models.facts.model_facts`, without ``verification`` and ``notes``.

    Raises:
        InputError: the file is damaged, or takes what cannot be given to it.
    """
    content = TfliteFile.read(tflite)
    graph = parse(tflite)[0]
    interpreter = open_interpreter(tflite)
    takes, gives = _ends(interpreter)
    outputs = [
        _end(name, detail) | {"activation": _activation(graph, detail["index"])}
        for name, detail in gives
    ]
    return {
        "kind": file.kind,
        "source_format": file.format,
        "keras_version": file.keras_version,
        "parameters": content.parameters,
        "parameter_bytes": content.parameter_bytes,
        "inputs": [_end(name, detail) for name, detail in takes],
        "outputs": outputs,
        "layers": [_layer(weight, reason) for weight in content.weights],
    }


def open_interpreter(tflite: bytes) -> Interpreter:
    """The runtime with a file in it, not yet allocated.

    Raises:
        InputError: the runtime cannot load it.
    """
    try:
        return Interpreter(model_content=tflite)
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"The TFLite runtime cannot load this file: {reason_of(error)}. Export it again, with "
            "TFLite's own operators only."
        ) from None


def random_input(tflite: bytes, samples: int, seed: int = 0) -> list[np.ndarray]:
    """Seeded random real values for every input of a file, shape (samples, …)."""
    random = np.random.default_rng(seed)
    limit = _index_limit(parse(tflite)[0])
    arrays = []
    for name, detail in _ends(open_interpreter(tflite))[0]:
        end = _end(name, detail)
        shape = (samples, *known_shape(tuple(end["shape"][1:])))
        below = limit if "int" in end["dtype"] else None
        arrays.append(random_array(random, shape, end["dtype"], below))
    return arrays


def run_file(tflite: bytes, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The file's outputs for real values, one sample at a time, each shape (n, …).

    Raises:
        InputError: the runtime cannot run it.
    """
    interpreter = open_interpreter(tflite)
    takes, gives = ([detail for _, detail in ends] for ends in _ends(interpreter))
    rows = []
    try:
        for detail, x in zip(takes, arrays, strict=True):
            interpreter.resize_tensor_input(detail["index"], (1, *x.shape[1:]))
        interpreter.allocate_tensors()
        for number in range(len(arrays[0])):
            for detail, x in zip(takes, arrays, strict=True):
                values = quantize(x[number : number + 1], detail)
                interpreter.set_tensor(detail["index"], values)
            interpreter.reset_all_variables()
            interpreter.invoke()
            tensors = [interpreter.get_tensor(detail["index"]) for detail in gives]
            rows.append([dequantize(x, detail) for x, detail in zip(tensors, gives, strict=True)])
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"The TFLite runtime cannot run this file on random input: {reason_of(error)}. Export "
            "it again."
        ) from None
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


_Ends = list[tuple[str, dict[str, Any]]]


def _ends(interpreter: Interpreter) -> tuple[_Ends, _Ends]:
    """(name, details) of inputs and of outputs.

    A file's own order is arbitrary. Where it has a signature, names and order are those of the
    signature, which are the model's.
    """
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    signatures = interpreter.get_signature_list()
    if len(signatures) != 1:
        return _named(inputs), _named(outputs)
    runner = interpreter.get_signature_runner(next(iter(signatures)))
    takes, gives = runner.get_input_details(), runner.get_output_details()
    if (len(takes), len(gives)) != (len(inputs), len(outputs)):
        return _named(inputs), _named(outputs)
    return list(takes.items()), list(gives.items())


def _named(details: list[dict[str, Any]]) -> _Ends:
    return [
        (str(detail["name"]).removeprefix("serving_default_").split(":")[0], detail)
        for detail in details
    ]


def _end(name: str, detail: dict[str, Any]) -> dict[str, Any]:
    """Name, shape with ``None`` for the batch, and dtype as a person gives it."""
    dtype = np.dtype(detail["dtype"])
    if dtype.kind not in "fiub":
        raise InputError(
            f"{name[:80]!r} of this file is {dtype.name}, and only numbers can be given to a "
            "model here. Do the text's preprocessing before the model."
        )
    shape = [int(size) if size >= 0 else None for size in detail["shape_signature"]]
    if shape and shape[0] not in (None, 1):
        raise InputError(
            f"{name[:80]!r} of this file takes or gives {shape[0]} samples at once; files are "
            "measured one sample at a time. Export it with a batch of 1 or of any size."
        )
    is_quantized = dtype.kind in "iu" and bool(detail["quantization"][0])
    return {
        "name": name,
        "shape": [None, *shape[1:]],
        "dtype": "float32" if is_quantized else dtype.name,
    }


def _layer(weight: Weight, reason: str) -> dict[str, Any]:
    return {
        "name": weight.name,
        "type": weight.op,
        "output_shape": [],
        "parameters": int(weight.stored.size),
        "weights": [{"name": weight.dtype, "shape": list(weight.shape)}],
        "techniques": dict.fromkeys(("prune", "channels", "cluster", "quantize_aware"), reason),
    }


def _activation(graph: Graph, tensor: int) -> str | None:
    """The activation that makes an output, or ``None``; fused ones are not told apart."""
    made_by = {output: operator for operator in graph.operators for output in operator.outputs}
    for _ in graph.operators:
        operator = made_by.get(tensor)
        if operator is None or operator.kind not in _PASSING_ON:
            return _ACTIVATIONS.get(operator.kind) if operator else None
        tensor = operator.inputs[0]
    return None


def _index_limit(graph: Graph) -> int | None:
    """The smallest number of entries in a table that the graph looks indices up in."""
    tables = [
        graph.tensors[operator.inputs[_INDEXED[operator.kind]]]
        for operator in graph.operators
        if operator.kind in _INDEXED
    ]
    return min((t.shape[0] for t in tables if t.stored is not None and t.shape), default=None)
