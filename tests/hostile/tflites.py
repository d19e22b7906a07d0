"""TFLite files whose numbers point outside, at themselves, or at other files."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.hostile import HostileFile


def tensor(name, shape, buffer=0, kind=schema.TensorType.FLOAT32):
    made = schema.TensorT()
    made.name, made.shape, made.buffer, made.type = name, list(shape), buffer, kind
    return made


def operator(inputs, outputs, code=0):
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = code, list(inputs), list(outputs)
    return made


def calling(kind, options, *inputs):
    """An operator that runs other graphs of the file."""
    made = operator([0], [1])
    made.builtinOptionsType, made.builtinOptions = kind, options
    return made


def graph(*operators):
    made = schema.SubGraphT()
    made.tensors = [
        tensor("x", (1, 4)),
        tensor("y", (1, 2)),
        tensor("w", (2, 4), 1),
        tensor("b", (2,), 2),
    ]
    made.inputs, made.outputs, made.operators = [0], [1], list(operators)
    return made


def buffer(content):
    made = schema.BufferT()
    if content is not None:
        made.data = np.frombuffer(content, np.uint8)
    return made


def code(kind, custom=None):
    made = schema.OperatorCodeT()
    made.builtinCode, made.deprecatedBuiltinCode, made.version = kind, min(kind, 127), 1
    made.customCode = custom
    return made


def model(kind=schema.BuiltinOperator.FULLY_CONNECTED):
    """One dense layer, as objects to be changed."""
    made = schema.ModelT()
    made.version = 3
    made.operatorCodes = [code(kind)]
    made.subgraphs = [graph(operator([0, 2, 3], [1]))]
    made.buffers = [buffer(None), buffer(bytes(32)), buffer(bytes(8))]
    return made


def packed(made):
    builder = flatbuffers.Builder(1024)
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def changed(change, kind=schema.BuiltinOperator.FULLY_CONNECTED):
    made = model(kind)
    change(made)
    return packed(made)


def looping(made):
    """A loop whose body is the graph that it is in."""
    options = schema.WhileOptionsT()
    options.condSubgraphIndex, options.bodySubgraphIndex = 1, 0
    made.subgraphs = [
        graph(calling(schema.BuiltinOptions.WhileOptions, options)),
        graph(operator([0, 2, 3], [1])),
    ]


def branch_to(number):
    def change(made):
        options = schema.IfOptionsT()
        options.thenSubgraphIndex, options.elseSubgraphIndex = 0, number
        made.subgraphs = [graph(calling(schema.BuiltinOptions.IfOptions, options))]

    return change


def signed(graph_number, tensor_number):
    def change(made):
        end = schema.TensorMapT()
        end.name, end.tensorIndex = "x", tensor_number
        signature = schema.SignatureDefT()
        signature.inputs, signature.outputs = [end], []
        signature.signatureKey, signature.subgraphIndex = "serving_default", graph_number
        made.signatureDefs = [signature]

    return change


def with_metadata(made):
    entry = schema.MetadataT()
    entry.name, entry.buffer = "min_runtime_version", 4_000_000
    made.metadata = [entry]


def in_other_files(secret):
    def change(made):
        group, other = schema.ExternalBufferGroupT(), schema.ExternalBufferT()
        group.name = secret
        other.id, other.group, other.offset, other.length = 1, 0, 0, 32
        made.externalBufferGroups, made.externalBuffers = [group], [other]

    return change


def setting(**values):
    """Sets fields of the only graph's only operator, or tensors by ``t0`` to ``t3``."""

    def change(made):
        only = made.subgraphs[0]
        for name, value in values.items():
            if name.startswith("t"):
                field, new = value
                setattr(only.tensors[int(name[1:])], field, new)
            else:
                setattr(
                    only.operators[0] if hasattr(schema.OperatorT(), name) else only, name, value
                )

    return change


def beyond_the_end(made):
    made.buffers[1].data = None
    made.buffers[1].offset, made.buffers[1].size = 2**40, 32


def many_tensors(made):
    made.subgraphs[0].operators[0].inputs = [0] * 1_100_000


FIELDS = {
    "input_index": (
        "read a tensor that is not there",
        "reads tensor 99",
        setting(inputs=[0, 99, 3]),
    ),
    "negative_index": (
        "read in front of the tensors",
        "reads tensor -7",
        setting(inputs=[0, -7, 3]),
    ),
    "output_index": (
        "write a tensor that is not there",
        "writes tensor 1000000",
        setting(outputs=[1_000_000]),
    ),
    "operator_code": (
        "run an operator that is not listed",
        "the operator code 77",
        setting(opcodeIndex=77),
    ),
    "buffer_index": (
        "read a buffer that is not there",
        "stored in buffer 4000000000",
        setting(t2=("buffer", 4_000_000_000)),
    ),
    "negative_shape": (
        "have fewer than no values",
        "a negative size in its shape -5 × 4",
        setting(t1=("shape", [-5, 4])),
    ),
    "huge_shape": (
        "allocate more than there is",
        "declares the shape 2,147,483,647 ×",
        setting(t1=("shape", [2**31 - 1] * 3)),
    ),
    "many_dimensions": (
        "have 40 dimensions",
        "declares the shape 1 × 1 × 1 × 1 × 1 × 1 × 1 × 1 × …",
        setting(t1=("shape", [1] * 40)),
    ),
    "short_constant": (
        "read behind a constant",
        "32 bytes are stored for shape 2,000 × 4,000",
        setting(t2=("shape", [2000, 4000])),
    ),
    "buffer_offset": ("read behind the file", "32 bytes at 1,099,511,627,776", beyond_the_end),
    "loop_of_itself": ("run itself for ever", "run each other in a circle (0 → 0)", looping),
    "branch_index": ("run a graph that is not there", "runs graph 55", branch_to(55)),
    "negative_branch": ("run a graph in front of the first", "runs graph -2", branch_to(-2)),
    "signature_graph": (
        "sign a graph that is not there",
        "signature of this TensorFlow Lite file runs graph 9",
        signed(9, 0),
    ),
    "signature_tensor": (
        "sign a tensor that is not there",
        "names tensor 4294967295",
        signed(0, 2**32 - 1),
    ),
    "metadata_buffer": (
        "keep metadata in no buffer",
        "metadata of this TensorFlow Lite file are in",
        with_metadata,
    ),
    "huge_vector": ("list a million inputs", "more than 1000000 tables and items", many_tensors),
}


def files(targets):
    secret = str(targets.secret)

    def refused(name, tries, phrase, data):
        return HostileFile(f"{name}.tflite", "tflite", tries, phrase, data, f"tflite_{name}")

    for name, (tries, phrase, change) in FIELDS.items():
        # A loop is an operator WHILE, a branch is IF: their options say which graphs they run.
        kind = {
            "loop_of_itself": schema.BuiltinOperator.WHILE,
            "branch_index": schema.BuiltinOperator.IF,
            "negative_branch": schema.BuiltinOperator.IF,
        }.get(name, schema.BuiltinOperator.FULLY_CONNECTED)
        yield refused(name, tries, phrase, changed(change, kind))
    yield refused(
        "external_buffers",
        "read weights from a local file",
        "buffers in other files",
        changed(in_other_files(secret)),
    )
    for name, custom, phrase in (
        ("flex_read_file", "FlexReadFile", "the TensorFlow operation 'ReadFile'"),
        ("custom_operator", "EvilOperator", "the custom operator 'EvilOperator'"),
    ):
        data = changed(
            lambda made, custom=custom: made.operatorCodes.__setitem__(
                0, code(schema.BuiltinOperator.CUSTOM, custom)
            )
        )
        yield refused(name, "run code that TFLite does not have", phrase, data)
    data = changed(lambda made: made.operatorCodes.__setitem__(0, code(9_999)))
    yield refused("unknown_operator", "run an operator of no version", "operator number 9999", data)
    yield refused(
        "no_graph",
        "have nothing to run",
        "contains no graph",
        changed(lambda made: setattr(made, "subgraphs", [])),
    )
    honest = packed(model())
    yield refused(
        "root_outside",
        "have its root table outside the file",
        "is damaged: its tables",
        b"\xf0\xff\xff\x7f" + honest[4:],
    )
