"""Where the rules come from: documentation pages, each with what it was consulted for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """What a rule rests on.

    Attributes:
        title: in a few words.
        url: of the page; empty for what was measured on the model at hand.
    """

    title: str
    url: str = ""


_TFLITE = "https://ai.google.dev/edge/litert/models/"
_TFMOT = "https://www.tensorflow.org/model_optimization/guide/"

POST_TRAINING = Source("LiteRT, post-training quantization", _TFLITE + "post_training_quantization")
FLOAT16 = Source(
    "LiteRT, post-training float16 quantization", _TFLITE + "post_training_float16_quant"
)
INTEGER = Source(
    "LiteRT, post-training integer quantization", _TFLITE + "post_training_integer_quant"
)
INT16 = Source(
    "LiteRT, integer quantization with int16 activations",
    _TFLITE + "post_training_integer_quant_16x8",
)
GPU = Source("TensorFlow Lite on GPU", "https://www.tensorflow.org/lite/performance/gpu_advanced")
EDGE_TPU = Source(
    "Coral, TensorFlow models on the Edge TPU", "https://coral.ai/docs/edgetpu/models-intro"
)
CMSIS_NN = Source("CMSIS-NN, README", "https://github.com/ARM-software/CMSIS-NN")
MICRO = Source(
    "tflite-micro, kernels",
    "https://github.com/tensorflow/tflite-micro/tree/main/tensorflow/lite/micro/kernels",
)
XNNPACK = Source(
    "XNNPACK backend for TensorFlow Lite, sparse inference",
    "https://github.com/tensorflow/tensorflow/blob/master/tensorflow/lite/delegates/xnnpack/"
    "README.md",
)
PRUNING = Source("TFMOT, trim insignificant weights", _TFMOT + "pruning")
CLUSTERING = Source("TFMOT, weight clustering", _TFMOT + "clustering")
AWARE = Source("TFMOT, quantization aware training", _TFMOT + "quantization/training")
COMBINED = Source(
    "TFMOT, collaborative optimization", _TFMOT + "combine/collaborative_optimization"
)
EXPERIMENT = Source("Experiments of this workbench (docs/benchmarks.md)")
SAMPLE = Source("Measured on the bundled sample study")
MEASURED = Source("Measured on this model")
COUNTED = Source("Counted in this model")
ESTIMATED = Source("Estimate from the number of weights and their entropy")
