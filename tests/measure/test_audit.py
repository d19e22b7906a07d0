"""What the audit says of weights that carry no layer's name, of tokens and of tables."""

import numpy as np
import pytest

from optimizer.measure.audit import audit
from optimizer.measure.tflite_file import TfliteFile
from optimizer.measure.weights import Weight

FLOAT = {"mode": "none", "aware": False, "io": "float32"}


def weight(name, values, op="FULLY_CONNECTED", dtype="float32"):
    stored = np.array(values, np.float32)
    return Weight(name, op, name, stored.shape, dtype, stored, None, stored.nbytes, 0)


def file(*weights, **changes):
    facts = {
        "data": b"", "parameter_bytes": 0, "parameters": 0, "input_dtype": "float32",
        "output_dtype": "float32", "ops": {}, "float_operators": {}, "macs": 0,
        "sparse_tensors": 0,
    }  # fmt: skip
    return TfliteFile(weights=weights, **{**facts, **changes})


def broken(*arguments, **keywords):
    return [item["promise"] for item in audit(*arguments, **keywords) if not item["kept"]]


def test_layers_whose_weights_cannot_be_told_apart_are_held_to_what_all_of_them_keep():
    loops = [weight("while", [[0, 0, 1, 2]]), weight("while #2", [[0, 0, 0, 1]])]
    promises = {"lstm": {"sparsity": 0.4}, "lstm_1": {"sparsity": 0.8}}
    known = {"known_layers": ["lstm", "lstm_1"]}
    assert broken(file(*loops), promises, FLOAT, **known) == []
    dense = {"lstm": {"sparsity": 0.7}, "lstm_1": {"sparsity": 0.8}}
    assert broken(file(*loops), dense, FLOAT, **known) == ["at least 70 % zeros in 2 layers"]


def test_a_layer_with_a_name_is_held_to_its_own_promise():
    named = [weight("a", [[0, 1]]), weight("b", [[0, 1]])]
    promises = {"a": {"sparsity": 0.5}, "b": {"sparsity": 0.8}}
    (finding,) = broken(file(*named), promises, FLOAT, known_layers=["a", "b"])
    assert finding == "at least 50 % / 80 % zeros in 2 layers"


@pytest.mark.parametrize(
    ("ends", "kept"),
    [(("int8", "int8"), True), (("int32", "int8"), True), (("int32", "float32"), False)],
)
def test_tokens_stay_integers_of_their_own(ends, kept):
    quantize = {"mode": "int8", "aware": False, "io": "int8"}
    found = file(input_dtype=ends[0], output_dtype=ends[1])
    assert (broken(found, {}, quantize) == []) is kept


def test_tables_are_activations_in_int16x8():
    quantize = {"mode": "int16x8", "aware": False, "io": "float32"}
    table = weight("embedding", [[1, 2]], op="GATHER", dtype="int16")
    kernel = weight("dense", [[1, 2]], dtype="int16")
    assert broken(file(table), {}, quantize) == []
    assert broken(file(table, kernel), {}, quantize) == ["kernels stored in int8"]
