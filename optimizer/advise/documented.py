"""Rules that rest on documentation: what hardware wants, and what techniques do.

Each looks at a case and says its sentence, or nothing. The pages are named in the table
:data:`optimizer.advise.rules.RULES`.
"""

from __future__ import annotations

from optimizer.advise.case import Case

_EIGHT_BIT_ONLY = ("micro", "npu")


def gpu_computes_in_floats(case: Case) -> str | None:
    """A GPU delegate computes in 16-bit floats, so float16 weights suit it."""
    if case.wish.target == "gpu" and case.mode == "float16":
        return (
            "GPU delegates can compute in 16-bit floats, and the weights are half as large as in "
            "float32."
        )
    return None


def gpu_needs_no_integers(case: Case) -> str | None:
    """On a GPU integers are not needed for speed: it computes in floats."""
    if case.wish.target == "gpu" and case.mode in ("dynamic", "int8", "int16x8"):
        return (
            "A GPU computes in 16- or 32-bit floats and, unlike a CPU, needs no quantization for "
            "its best speed."
        )
    return None


def micro_refuses_mixed_types(case: Case) -> str | None:
    """Microcontroller kernels refuse int8 weights with float activations, and float16 weights."""
    if case.wish.target == "micro" and case.mode in ("dynamic", "float16"):
        what = "int8 weights with float activations" if case.mode == "dynamic" else "float16"
        return f"TensorFlow Lite for Microcontrollers has no kernels for {what}."
    return None


def micro_reads_no_sparse_encoding(case: Case) -> str | None:
    """Microcontroller kernels do not read TFLite's sparse encoding."""
    if case.wish.target == "micro" and case.recipe.sparse_encoding:
        return "TensorFlow Lite for Microcontrollers does not read the sparse encoding."
    return None


def micro_wants_int8(case: Case) -> str | None:
    """Optimized microcontroller kernels follow the int8 specification."""
    if case.wish.target == "micro" and case.mode == "int8":
        return (
            "CMSIS-NN, the optimized kernels for Arm Cortex-M, follows TensorFlow Lite's int8 "
            "specification."
        )
    return None


def micro_computes_floats_slowly(case: Case) -> str | None:
    """On a microcontroller float32 runs on reference kernels."""
    if case.wish.target == "micro" and case.mode == "none":
        return (
            "float32 is for cases where integers are not acceptable: CMSIS-NN's float kernels are "
            "experimental, and mean processors with Helium."
        )
    return None


def gpu_lists_no_sparse_encoding(case: Case) -> str | None:
    """Sparse tensors need DENSIFY, which the GPU delegate does not list."""
    if case.wish.target == "gpu" and case.recipe.sparse_encoding:
        return "DENSIFY, which unpacks sparse tensors, is not among the GPU delegate's operators."
    return None


def npu_runs_8_bit_only(case: Case) -> str | None:
    """The Edge TPU runs fully 8-bit quantized models only."""
    if case.wish.target == "npu" and case.mode != "int8":
        return (
            "The Edge TPU runs only models that are fully quantized to 8 bit. Other NPUs differ: "
            "see what yours takes."
        )
    return None


def npu_wants_int8(case: Case) -> str | None:
    """Integer-only accelerators need full int8."""
    if case.wish.target == "npu" and case.mode == "int8":
        return "Integer-only accelerators such as the Edge TPU need int8 weights and activations."
    return None


def integer_ends_leave_no_float(case: Case) -> str | None:
    """With int8 inputs and outputs the program converts nothing on the device."""
    if case.wish.target in _EIGHT_BIT_ONLY and case.recipe.quantize.io != "float32":
        return "Inputs and outputs are int8 too: the program converts nothing at either end."
    return None


def cpu_runs_int8_fast(case: Case) -> str | None:
    """On CPUs full int8 is documented as 3 times or more faster."""
    if case.wish.target == "cpu" and case.mode == "int8" and case.wish.priority == "latency":
        return (
            "int8 is documented as 3× or more faster on CPUs; how fast this model is, is measured "
            "once it runs."
        )
    return None


def cpu_runs_dynamic_range(case: Case) -> str | None:
    """On CPUs dynamic range is documented as 2 to 3 times faster."""
    if case.wish.target == "cpu" and case.mode == "dynamic" and case.wish.priority == "latency":
        return "Dynamic range is documented as 2× to 3× faster on CPUs."
    return None


def cpu_unpacks_float16(case: Case) -> str | None:
    """A CPU turns float16 weights into float32 before the first inference."""
    concerned = case.wish.priority in ("latency", "memory")
    if case.wish.target == "cpu" and case.mode == "float16" and concerned:
        return (
            "On a CPU float16 weights are turned into float32 before the first inference: neither "
            "faster nor less memory."
        )
    return None


def eight_bits_quarter_the_file(case: Case) -> str | None:
    """8-bit weights take a quarter of float32's bytes."""
    eight = case.mode in ("dynamic", "int8", "int16x8")
    if eight and case.wish.priority in ("download", "flash"):
        return "Weights in 8 bit are documented to make the file 4× smaller."
    return None


def float16_halves_the_file(case: Case) -> str | None:
    """float16 weights take half of float32's bytes."""
    if case.mode == "float16" and case.wish.priority in ("download", "flash"):
        return "float16 is documented to make the file 2× smaller."
    return None


def float32_weights_are_large(case: Case) -> str | None:
    """float32 weights take 4 bytes each, twice those of float16."""
    if case.mode == "none" and case.wish.priority in ("download", "flash"):
        return "Its weights stay in float32, 4 bytes each; float16 takes 2 and int8 takes 1."
    return None


def float16_is_nearly_exact(case: Case) -> str | None:
    """float16 has a minimal effect on accuracy."""
    if case.mode == "float16" and case.wish.priority == "accuracy":
        return "float16 is documented to have a minimal impact on accuracy."
    return None


def zeros_compress(case: Case) -> str | None:
    """Pruned weights are easier to compress."""
    if case.zeros and case.wish.priority == "download":
        return "Zeros make the file easier to compress: up to 6× smaller downloads are documented."
    return None


def shared_values_compress(case: Case) -> str | None:
    """Clustered weights are easier to compress."""
    if case.clusters and case.wish.priority == "download":
        return "Shared values compress well: up to 5× smaller downloads are documented."
    return None


def together_they_compress_most(case: Case) -> str | None:
    """Pruning, clustering and quantization-aware training can each keep what came before."""
    everything = case.zeros and case.clusters and case.aware
    if everything and case.wish.priority == "download":
        return "Clustering keeps the zeros, and the quantization-aware training keeps both (PCQAT)."
    return None


def zeros_take_room_in_flash(case: Case) -> str | None:
    """A pruned file is as large as before until it is compressed."""
    if case.zeros and not case.recipe.sparse_encoding and case.wish.priority == "flash":
        return "Zeros are stored like other weights, so the file in flash is as large as without."
    return None


def shared_values_take_room_in_flash(case: Case) -> str | None:
    """A clustered file is as large as before until it is compressed."""
    if case.clusters and case.wish.priority == "flash":
        return "Shared values help compression only; the file in flash is as large as without."
    return None


def sparse_encoding_shrinks_the_file(case: Case) -> str | None:
    """TFLite's sparse encoding leaves zeros out of the file itself."""
    if case.recipe.sparse_encoding and case.wish.priority == "flash":
        return "The sparse encoding leaves the zeros out of the file itself."
    return None


def sparse_encoding_is_for_flash(case: Case) -> str | None:
    """The sparse encoding makes the file as it ships smaller, and nothing else better."""
    if case.recipe.sparse_encoding and case.wish.priority != "flash":
        return "The sparse encoding makes the file as it ships smaller; that is not asked for."
    return None


def zeros_do_not_speed_up(case: Case) -> str | None:
    """Single zeros make nothing faster without sparse kernels."""
    if not case.zeros or case.wish.priority != "latency":
        return None
    if case.wish.target != "cpu":
        return "Single zeros are multiplied like other weights."
    return (
        "Single zeros are multiplied like other weights. XNNPACK skips them only in sparse-encoded "
        "1×1 convolutions after a 3×3 stride-2 convolution of 3 channels."
    )


def shared_values_do_not_speed_up(case: Case) -> str | None:
    """Clustering changes which weights there are, not how many are multiplied."""
    if case.clusters and case.wish.priority == "latency":
        return "Clustering is documented to help compression; as many weights are multiplied."
    return None


def weights_are_not_activations(case: Case) -> str | None:
    """Zeros and shared values change no activation, so no working memory."""
    if (case.zeros or case.clusters) and case.wish.priority == "memory":
        return "Zeros and shared values leave every activation as large as it was."
    return None


def fewer_channels_are_less_of_everything(case: Case) -> str | None:
    """Removed channels are gone from weights, arithmetic and activations."""
    if case.narrows and case.wish.priority in ("latency", "flash", "memory"):
        return (
            "Removed channels are gone from the file, the arithmetic and the activations, on any "
            "hardware."
        )
    return None


def fewer_channels_download_faster(case: Case) -> str | None:
    """Removed channels are gone from the download, too."""
    if case.narrows and case.wish.priority == "download":
        return "Removed channels are not in the download at all."
    return None


def int8_activations_are_small(case: Case) -> str | None:
    """Full integer quantization reduces peak memory."""
    if case.mode == "int8" and case.wish.priority == "memory":
        return "Full int8 is documented to lower peak memory: an activation takes 1 byte, not 4."
    return None


def taking_away_gains_no_accuracy(case: Case) -> str | None:
    """Zeros, shared values and removed channels are for size and speed, not for accuracy."""
    if (case.recipe.prune or case.clusters) and case.wish.priority == "accuracy":
        return "Taking weights away serves size or speed; accuracy matters most here."
    return None


def aware_is_more_exact(case: Case) -> str | None:
    """Quantization-aware training is often better for accuracy."""
    tight = case.wish.may_lose is not None and case.wish.may_lose < 0.005
    if case.aware and (case.wish.priority == "accuracy" or tight):
        return "Quantization-aware training is documented to be often better for accuracy."
    return None


def post_training_comes_first(case: Case) -> str | None:
    """Start with post-training quantization: it is easier."""
    if not case.recipe.trains and case.mode != "none":
        return "Nothing is trained: the toolkit advises to begin with post-training quantization."
    return None


def int16_activations_are_exact(case: Case) -> str | None:
    """int16 activations help where int8 activations are too coarse."""
    if case.mode == "int16x8" and case.wish.priority == "accuracy":
        return (
            "int16 activations are documented to improve accuracy significantly where activations "
            "are sensitive to quantization."
        )
    return None


def int16_activations_are_slow(case: Case) -> str | None:
    """On a CPU int16 activations are many times slower than float32."""
    if case.mode == "int16x8" and case.wish.target == "cpu" and case.wish.priority != "accuracy":
        return "In the bundled sample study int16×8 takes over 20 times the baseline's latency."
    return None


def half_zeros_are_a_gentle_start(case: Case) -> str | None:
    """How much pruning costs differs between models; TFMOT's own table says where to begin."""
    if case.zeros and case.step and case.step.kind == "start":
        return (
            "In the toolkit's own table InceptionV3 lost 0.1 points at 50 % zeros, 2.0 at 75 % and "
            "3.5 at 87.5 %; your model may differ."
        )
    return None
