"""Layer names out of the converter's tensor names, as seen in real files."""

from __future__ import annotations

import pytest

from optimizer.measure.layer_names import layer_name


@pytest.mark.parametrize(
    ("weight", "output", "expected"),
    [
        ("sequential/stem/Conv2D", "sequential/re_lu/Relu;sequential/stem/Conv2D", "stem"),
        ("m/re_lu_1/Relu6;m/bn/FusedBatchNormV3;m/dw/depthwise", "", "dw"),
        ("sequential/bn/batchnorm/mul_1;sequential/b/MatMul;sequential/b/Relu", "", "b"),
        ("arith.constant", "model_1/shared/Conv2D", "shared"),
        ("sequential/sep/separable_conv2d/depthwise1", "", "sep"),
        ("model/mha/query/einsum/Einsum", "", "mha/query"),
        ("model_2/perstep/Tensordot/MatMul", "", "perstep"),
        ("m/quant_head/MatMul;m/quant_head/LastValueQuant/FakeQuantWithMinMaxVars", "", "head"),
        ("m/prune_low_magnitude_up/conv2d_transpose", "", "up"),
        ("sequential_1/vol/Conv3D/ReadVariableOp", "", "vol"),
        ("outer_1/stem_1/convolution", "", "stem_1"),
        ("model/MatMul/MatMul", "", "MatMul"),
        ("arith.constant3", "tfl.unidirectional_sequence_lstm", "some_op"),
        ("while/MatMul_1", "while/MatMul_11", "some_op"),
        ("", "", "some_op"),
    ],
)
def test_names_of_real_files(weight, output, expected):
    assert layer_name(weight, output, "SOME_OP") == expected


def test_known_names_win_also_with_slashes_and_in_the_longest_match():
    path = "model/block/quant_conv/Conv2D"

    assert layer_name(path, "", "CONV_2D", {"conv", "block"}) in {"conv", "block"}
    assert layer_name(path, "", "CONV_2D", {"block/conv", "conv"}) == "block/conv"
    assert layer_name(path, "", "CONV_2D", {"elsewhere"}) == "block/conv"
    assert layer_name("m/bn/mul;m/b/MatMul", "", "FULLY_CONNECTED", {"bn", "b"}) == "b"
