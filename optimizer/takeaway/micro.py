"""What a ``.tflite`` needs from TensorFlow Lite for Microcontrollers, and whether it has it.

Source: tensorflow/lite/micro/micro_mutable_op_resolver.h of tflite-micro, 2025.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from optimizer.measure.flatbuffer import Graph, Tensor, parse
from optimizer.measure.weights import WEIGHT_INPUTS

_METHODS = """
Abs Add AddN ArgMax ArgMin AssignVariable AveragePool2D BatchMatMul BatchToSpaceNd BroadcastArgs
BroadcastTo CallOnce Cast Ceil Concatenation Conv2D Cos CumSum DepthToSpace DepthwiseConv2D
Dequantize Div DynamicUpdateSlice Elu EmbeddingLookup Equal Exp ExpandDims Fill Floor FloorDiv
FloorMod FullyConnected Gather GatherNd Greater GreaterEqual HardSwish If L2Normalization L2Pool2D
LeakyRelu Less LessEqual Log LogicalAnd LogicalNot LogicalOr Logistic LogSoftmax MaxPool2D Maximum
Mean Minimum MirrorPad Mul Neg NotEqual Pack Pad PadV2 Prelu Quantize ReadVariable ReduceAll
ReduceMax ReduceMin Relu Relu6 Reshape ResizeBilinear ResizeNearestNeighbor ReverseV2 Round Rsqrt
SelectV2 Shape Sin Slice Softmax SpaceToBatchNd SpaceToDepth Split SplitV Sqrt Square
SquaredDifference Squeeze StridedSlice Sub Sum Svdf Tanh Transpose TransposeConv
UnidirectionalSequenceLSTM Unpack VarHandle While ZerosLike
"""
_ADDING = {name.upper(): f"Add{name}" for name in _METHODS.split()}

_FLOATS = ("float16", "float32", "float64", "bfloat16")


@dataclass(frozen=True)
class MicroNeeds:
    """What a file asks of TensorFlow Lite for Microcontrollers.

    Attributes:
        operators: TFLite operator names, each once, sorted.
        methods: of ``MicroMutableOpResolver``, such as ``AddConv2D``, for those it has.
        refusals: why it will not run there, each as a sentence.
        remarks: what runs slowly or needs more code, each as a sentence.
        computes_in_float: whether an operator computes in floating point.
    """

    operators: tuple[str, ...]
    methods: tuple[str, ...]
    refusals: tuple[str, ...]
    remarks: tuple[str, ...]
    computes_in_float: bool

    @property
    def warnings(self) -> tuple[str, ...]:
        """Refusals and remarks."""
        return (*self.refusals, *self.remarks)


def micro_needs(tflite: bytes) -> MicroNeeds:
    """Read what a file needs on a microcontroller.

    Raises:
        InputError: the bytes are not a TensorFlow Lite file.
    """
    graphs = parse(tflite)
    operators = sorted({operator.kind for graph in graphs for operator in graph.operators})
    known = {kind: _ADDING.get(kind.replace("_", "")) for kind in operators}
    missing = [kind for kind, method in known.items() if method is None]
    refusals = [*_refusals(graphs)]
    if missing:
        text = f"TensorFlow Lite for Microcontrollers has no kernel for {', '.join(missing)}."
        refusals.insert(0, text)
    computing = _computing_in_float(graphs)
    return MicroNeeds(
        tuple(operators),
        tuple(method for method in known.values() if method is not None),
        tuple(refusals),
        tuple(_remarks(graphs, computing)),
        bool(computing),
    )


def _refusals(graphs: Sequence[Graph]) -> Iterator[str]:
    if any(tensor.encoding for graph in graphs for tensor in graph.tensors):
        yield "Its weights are in the sparse encoding, which no microcontroller kernel reads."
    hybrid = sorted({kind for graph in graphs for kind in _hybrid(graph)})
    if hybrid:
        yield (
            f"{', '.join(hybrid)}: weights in int8 with float activations (dynamic range), which "
            "the microcontroller kernels refuse. Choose int8 quantization."
        )
    if any(tensor.dtype == "float16" for graph in graphs for tensor in graph.tensors):
        yield "It stores float16 weights, which the microcontroller kernels do not read."


def _computing_in_float(graphs: Sequence[Graph]) -> list[str]:
    """The operators whose results are computed in floating point, sorted."""
    return sorted(
        {
            operator.kind
            for graph in graphs
            for operator in graph.operators
            if operator.kind not in ("QUANTIZE", "DEQUANTIZE")
            and any(tensor.dtype in _FLOATS for tensor in _at(graph, operator.outputs))
        }
    )


def _remarks(graphs: Sequence[Graph], computing: Sequence[str]) -> Iterator[str]:
    if computing:
        yield (
            f"It is not full int8: {', '.join(computing)} compute in float, which is slow without "
            "a floating-point unit."
        )
    ends = {
        tensor.dtype for tensor in _at(graphs[0], (*graphs[0].inputs, *graphs[0].outputs))
    } & set(_FLOATS)
    if ends and not computing:
        yield (
            f"Its inputs or outputs are {', '.join(sorted(ends))}: the program converts at both "
            "ends. Choose int8 inputs and outputs to leave that out."
        )
    if any(tensor.dtype == "int16" for graph in graphs for tensor in graph.tensors):
        yield (
            "Its activations are int16. The runtime has kernels of int16×8 for convolutions, dense "
            "layers, pooling and softmax; another operator may lack one, which shows when tensors "
            "are allocated."
        )


def _hybrid(graph: Graph) -> Iterator[str]:
    for operator in graph.operators:
        positions = WEIGHT_INPUTS.get(operator.kind, {})
        weights = [operator.inputs[i] for i in positions if i < len(operator.inputs)]
        stored = any(tensor.dtype.startswith("int") for tensor in _at(graph, weights))
        if stored and any(tensor.dtype == "float32" for tensor in _at(graph, operator.outputs)):
            yield operator.kind


def _at(graph: Graph, indices: Sequence[int]) -> list[Tensor]:
    return [graph.tensors[index] for index in indices if index >= 0]
