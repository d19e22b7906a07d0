"""What a ``.tflite`` must keep to before the native runtime sees it: references and sizes.

The runtime's own verifier checks the flatbuffer's layout. It leaves to the kernels what the numbers
in it mean, and these are fast rather than careful.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from ai_edge_litert import schema_py_generated as schema

from optimizer.errors import InputError

if TYPE_CHECKING:
    from optimizer.measure.flatbuffer import Graph

MAX_TENSOR_VALUES = 2**33
"""Values of one tensor: more than fits into any memory that a person would measure with."""
CUSTOM = frozenset({"AudioSpectrogram", "Mfcc", "TFLite_Detection_PostProcess"})
"""Custom operators whose code is part of the runtime."""

Count = Callable[[int], Iterator[int]]
_ITEM_BYTES = {
    **dict.fromkeys(("bool", "int8", "uint8"), 1),
    **dict.fromkeys(("float16", "bfloat16", "int16", "uint16"), 2),
    **dict.fromkeys(("float32", "int32", "uint32"), 4),
    **dict.fromkeys(("float64", "int64", "uint64", "complex64"), 8),
}
"""Bytes of a value, by TFLite's name of the dtype; texts and packed integers are not here."""
_FIRST, _SECOND = "BuiltinOptions", "BuiltinOptions2"
_CALLS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (_FIRST, "CallOnceOptions", ("InitSubgraphIndex",)),
    (_FIRST, "CallOptions", ("Subgraph",)),
    (_FIRST, "IfOptions", ("ThenSubgraphIndex", "ElseSubgraphIndex")),
    (_FIRST, "WhileOptions", ("CondSubgraphIndex", "BodySubgraphIndex")),
    (_SECOND, "StableHLOCompositeOptions", ("DecompositionSubgraphIndex",)),
    (_SECOND, "StablehloReduceOptions", ("BodySubgraphIndex",)),
    (_SECOND, "StablehloReduceWindowOptions", ("BodySubgraphIndex",)),
    (_SECOND, "StablehloScatterOptions", ("UpdateComputationSubgraphIndex",)),
    (_SECOND, "StablehloSortOptions", ("ComparatorSubgraphIndex",)),
    (_SECOND, "StablehloWhileOptions", ("CondSubgraphIndex", "BodySubgraphIndex")),
)
"""Options of operators that run another graph of the file, and where they say which."""


def refuse_other_files(model: Any, count: Count) -> None:
    """Refuse weights that are kept in other files, and operators whose code is not the runtime's.

    Args:
        model: the file's root table.
        count: called with every vector's length before it is read; bounds the work.

    Raises:
        InputError: naming the file or the operator.
    """
    if model.ExternalBuffersLength() or model.ExternalBufferGroupsLength():
        raise InputError(
            f"This TensorFlow Lite file keeps {model.ExternalBuffersLength()} of its buffers in "
            "other files, which are never read for a model. Export it as one file."
        )
    for number in count(model.OperatorCodesLength()):
        code = model.OperatorCodes(number)
        kind = max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode()))
        if kind == schema.BuiltinOperator.CUSTOM:
            _check_custom((code.CustomCode() or b"").decode("utf-8", errors="replace"))
        elif kind not in _KNOWN:
            raise InputError(
                f"This TensorFlow Lite file uses operator number {kind}, which TensorFlow Lite "
                "does not have. Export it again."
            )


def _check_custom(name: str) -> None:
    if name.startswith("Flex"):
        raise InputError(
            f"This TensorFlow Lite file calls the TensorFlow operation {name[4:80]!r} (a Flex "
            "operator), which could read and write files. Export it with TFLite's own operators."
        )
    if name not in CUSTOM:
        raise InputError(
            f"This TensorFlow Lite file has the custom operator {name[:80]!r}, whose code is not "
            "in the file. Export it with TFLite's own operators."
        )


_KNOWN = frozenset(v for v in vars(schema.BuiltinOperator).values() if isinstance(v, int))


def refuse_shape(shape: Sequence[int], name: str) -> None:
    """Refuse a tensor whose dimensions cannot be.

    Args:
        shape: as declared, -1 where unknown.
        name: of the tensor.

    Raises:
        InputError: naming the tensor and its shape.
    """
    if any(size < -1 for size in shape):
        raise InputError(
            f"The tensor {name[:80]!r} of this TensorFlow Lite file has a negative size in its "
            f"shape {_listed(shape)}. It is damaged; export it again."
        )
    if len(shape) > 16 or math.prod(abs(size) for size in shape) > MAX_TENSOR_VALUES:
        raise InputError(
            f"The tensor {name[:80]!r} of this TensorFlow Lite file declares the shape "
            f"{_listed(shape)}, more than any memory holds. It is damaged; export it again."
        )


def refuse_constant(name: str, shape: Sequence[int], dtype: str, stored: int) -> None:
    """Refuse a constant whose bytes are more or fewer than its shape takes.

    Args:
        name, shape, dtype: of the tensor.
        stored: bytes in the file.

    Raises:
        InputError: naming the tensor, its shape and both numbers.
    """
    needed = math.prod(shape) * _ITEM_BYTES.get(dtype, 0)
    if dtype in _ITEM_BYTES and stored != needed:
        raise InputError(
            f"The constant {name[:80]!r} of this TensorFlow Lite file cannot be read: "
            f"{stored:,} bytes are stored for shape {_listed(shape)} of {dtype}, which takes "
            f"{needed:,}. Export the model again."
        )


def refuse_broken_references(model: Any, graphs: Sequence[Graph], count: Count) -> None:
    """Refuse references to graphs, tensors and buffers that are not there, and recursion.

    Args:
        model: the file's root table.
        graphs: as read from it.
        count: called with every vector's length before it is read; bounds the work.

    Raises:
        InputError: naming what refers to what.
    """
    calls: dict[int, set[int]] = {number: set() for number in range(len(graphs))}
    for number, runs in calls.items():
        table = model.Subgraphs(number)
        for place in range(table.OperatorsLength()):
            for called in _called(table.Operators(place)):
                if not 0 <= called < len(graphs):
                    raise InputError(
                        f"Operator {place} of this TensorFlow Lite file runs graph {called}, and "
                        f"the file has {len(graphs)}. It is damaged; export it again."
                    )
                runs.add(called)
    try:
        TopologicalSorter(calls).prepare()
    except CycleError as error:
        circle = " → ".join(map(str, error.args[1]))
        raise InputError(
            f"The graphs of this TensorFlow Lite file run each other in a circle ({circle[:80]}), "
            "which would never end. Export it again."
        ) from None
    _check_signatures(model, graphs, count)
    for place in count(model.MetadataLength()):
        buffer = int(model.Metadata(place).Buffer())
        if buffer >= model.BuffersLength():
            raise InputError(
                f"The metadata of this TensorFlow Lite file are in buffer {buffer}, and the file "
                f"has {model.BuffersLength()}. It is damaged; export it again."
            )


def _check_signatures(model: Any, graphs: Sequence[Graph], count: Count) -> None:
    for place in count(model.SignatureDefsLength()):
        signature = model.SignatureDefs(place)
        number = int(signature.SubgraphIndex())
        if number >= len(graphs):
            raise InputError(
                f"A signature of this TensorFlow Lite file runs graph {number}, and the file has "
                f"{len(graphs)}. It is damaged; export it again."
            )
        tensors = len(graphs[number].tensors)
        ends = [signature.Inputs(i) for i in count(signature.InputsLength())]
        ends += [signature.Outputs(i) for i in count(signature.OutputsLength())]
        for end in ends:
            if int(end.TensorIndex()) >= tensors:
                raise InputError(
                    f"A signature of this TensorFlow Lite file names tensor {end.TensorIndex()}, "
                    f"and its graph has {tensors}. It is damaged; export it again."
                )


def _called(operator: Any) -> Iterator[int]:
    """Numbers of the graphs that an operator runs."""
    for place, options, fields in _CALLS:
        kinds = getattr(schema, "BuiltinOptions" if place == _FIRST else "BuiltinOptions2")
        if getattr(operator, f"{place}Type")() != getattr(kinds, options):
            continue
        table = getattr(operator, place)()
        if table is not None:
            own = getattr(schema, options)()
            own.Init(table.Bytes, table.Pos)
            yield from (int(getattr(own, field)()) for field in fields)


def _listed(shape: Sequence[int]) -> str:
    shown = " × ".join(f"{size:,}" for size in shape[:8])
    return shown + (" × …" if len(shape) > 8 else "")
