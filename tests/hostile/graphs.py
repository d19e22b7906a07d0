"""SavedModels whose graphs read, write, call Python, or talk to other machines.

Their rules need TensorFlow's protocol buffers, so only the isolated stage process applies them.
"""

from tests.hostile import HostileFile
from tests.hostile.forge import zipped
from tests.hostile.wire import function, node, saved_model

OPERATIONS = {
    "ReadFile": "read a local file into a tensor",
    "WriteFile": "write a local file",
    "PyFunc": "call a Python function",
    "EagerPyFunc": "call a Python function eagerly",
    "MatchingFiles": "list a folder",
    "MergeV2Checkpoints": "delete files while merging checkpoints",
    "SaveV2": "write a checkpoint",
    "RestoreV2": "read another checkpoint",
    "DataServiceDatasetV2": "fetch data from another machine",
    "CollectiveReduceV2": "talk to other workers",
    "TextLineDatasetV2": "read lines of a file",
    "InitializeTableFromTextFileV2": "fill a table from a file",
    "PrintV2": "write to a file or a stream",
    "DecodeAndCropJpeg": "use a decoder of images",
    "ImmutableConst": "map a file into memory",
}


def files(targets):
    def refused(name, tries, phrase, graph, attack=None):
        data = zipped([("m/saved_model.pb", graph), ("m/variables/variables.index", b"")])
        return HostileFile(
            f"graph_{name}.zip",
            "model",
            tries,
            phrase,
            data,
            attack or f"graph_{name}",
            in_stage=True,
        )

    for operation, tries in OPERATIONS.items():
        graph = saved_model(function("serve", node("n", operation)))
        yield refused(operation.lower(), tries, f"the operation '{operation}'", graph)
    inner = function("inner", node("n", "ReadFile"))
    calls = {
        "call": node("c", "StatefulPartitionedCall", function="inner"),
        "by_name": node("c", "inner"),
        "loop": node("c", "StatelessWhile", function="inner"),
    }
    for name, call in calls.items():
        yield refused(
            f"hidden_by_{name}",
            "read a file in a function that is called",
            "the operation 'ReadFile'",
            saved_model(function("serve", call), inner),
            "graph_readfile",
        )
    again = function("serve", node("c", "PartitionedCall", function="serve"))
    yield refused(
        "recursion", "call itself for ever", "call each other in a circle", saved_model(again)
    )
    yield refused(
        "missing_function",
        "call what is not there",
        "a function that it does not contain",
        saved_model(function("serve", node("c", "PartitionedCall", function="gone"))),
    )
    empty = function("serve", node("n", "Identity"))
    yield refused(
        "asset", "use a file it brings", "signature uses asset", saved_model(empty, captured=[5])
    )
    yield refused(
        "table",
        "use a table filled from a file",
        "signature uses resource",
        saved_model(empty, captured=[10]),
    )
    yield refused(
        "no_signature", "have nothing to call", "it has none", saved_model(empty, signature=False)
    )
    yield refused(
        "two_servings",
        "have no graph to serve",
        "has 0 graphs for serving",
        saved_model(empty, tags=("train",)),
    )
    yield refused(
        "not_protobuf",
        "confuse the parser",
        "saved_model.pb in the archive is damaged",
        b"\xff" * 100,
    )
