"""What of a SavedModel's graph is used: its serving signature, with allowed operations only.

A SavedModel is a program. It is parsed here as a protobuf and never loaded as it came: all that
the serving signature does not reach is taken out (training, saving and restoring, initializers,
revived Python classes), and each operation it does reach must be on a closed list. Runs in
stage processes only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

from optimizer.errors import InputError
from optimizer.models import limits
from optimizer.models.saved_model_loops import fix_batch_of_one

SIGNATURE = "serving_default"
_GENERIC = "_generic_user_object"

OPERATIONS = frozenset(
    """
    Abs Acos Acosh Add AddN AddV2 All Any ArgMax ArgMin Asin Asinh Assert Atan Atan2 Atanh
    AvgPool AvgPool3D BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchToSpace BatchToSpaceND
    BiasAdd BiasAddV1 Bitcast BroadcastArgs BroadcastTo Bucketize Cast Ceil CheckNumerics
    ClipByValue CombinedNonMaxSuppression Complex ComplexAbs Concat ConcatV2 Conj Const Conv2D
    Conv2DBackpropInput Conv3D Conv3DBackpropInputV2 Cos Cosh CropAndResize Cumprod Cumsum
    DepthToSpace DepthwiseConv2dNative Diag DiagPart DisableCopyOnRead Div DivNoNan
    DynamicPartition DynamicStitch Einsum Elu EmptyTensorList EnsureShape Equal Erf Erfc Exp
    ExpandDims Expm1 FFT FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars
    FakeQuantWithMinMaxVarsPerChannel Fill Floor FloorDiv FloorMod FusedBatchNorm
    FusedBatchNormV2 FusedBatchNormV3 Gather GatherNd GatherV2 Greater GreaterEqual IFFT IRFFT
    Identity IdentityN If Imag InvertPermutation IsFinite IsInf IsNan L2Loss LRN LeakyRelu
    LeftShift Less LessEqual LinSpace Log Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr
    LogicalXor MatMul MatrixBandPart MatrixDiag MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3
    MatrixDiagV2 MatrixDiagV3 MatrixSetDiag MatrixSetDiagV3 Max MaxPool MaxPool3D MaxPoolV2
    Maximum Mean Min Minimum MirrorPad Mod Mul MulNoNan Neg NextAfter NoOp NonMaxSuppressionV4
    NonMaxSuppressionV5 NotEqual OneHot OnesLike Pack Pad PadV2 PartitionedCall Polygamma Pow
    PreventGradient Prod RFFT Range Rank ReadVariableOp Real RealDiv Reciprocal Relu Relu6
    Reshape ResizeBilinear ResizeNearestNeighbor ResourceGather Reverse ReverseSequence
    ReverseV2 RightShift Rint RngReadAndSkip Roll Round Rsqrt ScatterNd SegmentSum Select
    SelectV2 Selu Shape ShapeN Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign
    SpaceToBatch SpaceToBatchND SpaceToDepth Split SplitV Sqrt Square SquaredDifference Squeeze
    StatefulPartitionedCall StatelessIf StatelessRandomGetKeyCounter StatelessRandomNormalV2
    StatelessRandomUniformFullIntV2 StatelessRandomUniformIntV2 StatelessRandomUniformV2
    StatelessWhile StopGradient StridedSlice Sub Sum Tan Tanh TensorListConcatV2
    TensorListElementShape TensorListFromTensor TensorListGather TensorListGetItem
    TensorListLength TensorListPopBack TensorListPushBack TensorListReserve TensorListResize
    TensorListSetItem TensorListStack TensorScatterUpdate Tile TopK TopKV2 Transpose TruncateDiv
    TruncateMod Unique Unpack UnsortedSegmentSum VariableShape Where While Xdivy Xlogy ZerosLike
    """.split()
)
"""Operations that compute tensors from tensors, and read the own variables.

Random ones too, which augmentation leaves in branches for training; they count up a variable of
their own.
"""


@dataclass(frozen=True)
class Sanitized:
    """A SavedModel that may be loaded.

    Attributes:
        graph: the bytes of its new ``saved_model.pb``.
        has_loops: it has loops over tensor lists, as recurrent layers make them; then it takes
            one sample at a time, as TFLite needs for such loops.
    """

    graph: bytes
    has_loops: bool


def sanitized(graph: bytes) -> Sanitized:
    """A SavedModel's graph with its serving signature only.

    Args:
        graph: the bytes of ``saved_model.pb``.

    Raises:
        InputError: it is damaged, of TensorFlow 1, has no serving signature, or an operation
            in it is not on the list; the operation is named.
    """
    model = _parsed(graph)
    meta = model.meta_graphs[0]
    objects = meta.object_graph_def
    if not objects.nodes:
        raise InputError(
            "The SavedModel was made by TensorFlow 1 and has no objects. Load it in TensorFlow 2 "
            "and save it again, or save the Keras model with model.save('model.keras')."
        )
    signatures, entry = _entry(objects)
    function = objects.nodes[entry].bare_concrete_function.concrete_function_name
    operations = _keep_reachable(meta.graph_def, function)
    _keep_function(objects, function)
    _make_generic(objects, {signatures, entry})
    _keep_constants(meta.graph_def, objects)
    for name in ("collection_def", "asset_file_def", "saver_def", "signature_def"):
        meta.ClearField(name)
    meta.meta_info_def.ClearField("stripped_op_list")
    has_loops = any(name.startswith("TensorList") for name in operations)
    if has_loops:
        fix_batch_of_one(meta)
    return Sanitized(model.SerializeToString(deterministic=True), has_loops)


def _parsed(graph: bytes) -> Any:
    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString(graph)
    except DecodeError:
        raise InputError(
            "saved_model.pb in the archive is damaged. Save the model again and zip its folder."
        ) from None
    serving = [meta for meta in model.meta_graphs if "serve" in meta.meta_info_def.tags]
    if len(serving) != 1:
        raise InputError(
            f"The SavedModel has {len(serving)} graphs for serving; one is needed. Save the model "
            "again with model.export or tf.saved_model.save."
        )
    kept = type(serving[0])()
    kept.CopyFrom(serving[0])
    del model.meta_graphs[:]
    model.meta_graphs.append(kept)
    return model


def _entry(objects: Any) -> tuple[int, int]:
    """Numbers of the objects that are the map of signatures, and the one to be served."""
    count = len(objects.nodes)
    children = {child.local_name: child.node_id for child in objects.nodes[0].children}
    number = children.get("signatures", -1)
    if not 0 <= number < count:
        raise InputError(_no_signature([]))
    found = {child.local_name: child.node_id for child in objects.nodes[number].children}
    entry = found.get(SIGNATURE, next(iter(found.values())) if len(found) == 1 else -1)
    if not 0 <= entry < count:
        raise InputError(_no_signature(sorted(found)))
    if objects.nodes[entry].WhichOneof("kind") != "bare_concrete_function":
        raise InputError(_no_signature(sorted(found)))
    others = [child for child in objects.nodes[number].children if child.node_id != entry]
    for child in others:
        objects.nodes[number].children.remove(child)
    return number, entry


def _no_signature(names: list[str]) -> str:
    has = f"it has {', '.join(names)[:200]}" if names else "it has none"
    return (
        f"The SavedModel has no signature {SIGNATURE!r} to be called by; {has}. Save it again "
        "with model.export, or give tf.saved_model.save a signature."
    )


def _keep_reachable(graph: Any, start: str) -> set[str]:
    """Remove the functions that ``start`` does not call; the operations of those it does."""
    library = {function.signature.name: function for function in graph.library.function}
    wanted, waiting, operations, count = {start}, [start], set(), 0
    calls: dict[str, set[str]] = {}
    while waiting:
        name = waiting.pop()
        function = library.get(name)
        if function is None:
            raise InputError(
                "The SavedModel calls a function that it does not contain. Save it again and zip "
                "the whole folder."
            )
        for node in function.node_def:
            count += 1
            _check_node(node, library, count)
            operations.add(node.op)
            called = set(_called(node)) | ({node.op} & library.keys())
            calls.setdefault(name, set()).update(called)
            waiting.extend(called - wanted)
            wanted |= called
    _refuse_recursion(calls)
    kept = [_without_gradients(library[name]) for name in sorted(wanted)]
    graph.library.Clear()
    graph.library.function.extend(kept)
    return operations


def _refuse_recursion(calls: dict[str, set[str]]) -> None:
    try:
        TopologicalSorter(calls).prepare()
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise InputError(
            f"The functions of the SavedModel call each other in a circle ({circle[:200]}), which "
            "would never end. Save the model again."
        ) from None


def _check_node(node: Any, library: dict[str, Any], count: int) -> None:
    if count > limits.GRAPH_NODES:
        raise InputError(
            f"The SavedModel's graph has more than {limits.GRAPH_NODES:,} operations; that is the "
            "limit."
        )
    if node.op not in OPERATIONS and node.op not in library:
        raise InputError(
            f"The SavedModel's graph has the operation {node.op[:80]!r}, which is not among those "
            "that only compute. Save the part of the model that takes and gives numbers."
        )


def _called(node: Any) -> Iterator[str]:
    """Names of the functions that a node's attributes refer to."""
    for attribute in node.attr.values():
        if attribute.WhichOneof("value") == "func":
            yield attribute.func.name
        for item in attribute.list.func:
            yield item.name


def _without_gradients(function: Any) -> Any:
    """A copy without what is for training: gradients registered in Python by name."""
    kept = type(function)()
    kept.CopyFrom(function)
    kept.attr.clear()
    for node in kept.node_def:
        node.device = ""
        for name in [name for name in node.attr if name.startswith("_")]:
            del node.attr[name]
    return kept


def _keep_function(objects: Any, name: str) -> None:
    """Leave one concrete function, whose captured objects are variables or constants."""
    function = objects.concrete_functions[name]
    for number in function.bound_inputs:
        inside = 0 <= number < len(objects.nodes)
        kind = objects.nodes[number].WhichOneof("kind") if inside else None
        if kind not in ("variable", "constant"):
            raise InputError(
                f"The SavedModel's signature uses {kind or 'an object that is not there'}, such "
                "as a table or a file; only variables and constants can be used. Do that step "
                "before the model."
            )
    kept = type(function)()
    kept.CopyFrom(function)
    objects.concrete_functions.clear()
    objects.concrete_functions[name].CopyFrom(kept)


def _make_generic(objects: Any, kept: set[int]) -> None:
    """Objects that are neither variables nor constants nor the signature do nothing any more."""
    for number, node in enumerate(objects.nodes):
        for name in ("saveable_objects", "slot_variables", "registered_name", "registered_saver"):
            node.ClearField(name)
        node.ClearField("dependencies")
        kind = node.WhichOneof("kind")
        if kind == "variable":
            if node.variable.dtype in (types_pb2.DT_STRING, types_pb2.DT_RESOURCE):
                raise InputError("The SavedModel has a variable of text, which is not supported.")
            node.variable.device = ""
            continue
        if kind == "constant" or number in kept:
            continue
        if kind is not None:
            node.ClearField(kind)
        node.user_object.identifier = _GENERIC
        node.user_object.version.producer = 1
        node.user_object.version.min_consumer = 1


def _keep_constants(graph: Any, objects: Any) -> None:
    """Of the graph outside functions, leave the constants that objects refer to."""
    wanted = {
        node.constant.operation for node in objects.nodes if node.WhichOneof("kind") == "constant"
    }
    kept = [node for node in graph.node if node.name in wanted and node.op == "Const"]
    if len(kept) != len(wanted):
        raise InputError("The SavedModel refers to a constant that it has not; it is damaged.")
    copies = []
    for node in kept:
        copy = type(node)()
        copy.CopyFrom(node)
        del copy.input[:]
        copies.append(copy)
    del graph.node[:]
    graph.node.extend(copies)
