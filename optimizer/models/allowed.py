"""What a model's configuration may name. Whatever is not here is refused by name.

These lists decide what is deserialized at all; :mod:`optimizer.models.layers` decides what it
becomes.
"""

from __future__ import annotations

import re

from optimizer.models.operations import KERAS_OPERATIONS, TENSORFLOW_FUNCTIONS

MODELS = frozenset({"Functional", "Model", "Sequential"})

LAYERS = frozenset(
    """
    Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D
    AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add
    AdditiveAttention AlphaDropout Attention AugMix Average AveragePooling1D AveragePooling2D
    AveragePooling3D BatchNormalization BatchNormalizationV1 Bidirectional CenterCrop
    Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D
    ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D Cropping3D CutMix Dense DepthwiseConv1D
    DepthwiseConv2D Dot Dropout ELU EinsumDense Embedding Flatten GRU GRUCell GaussianDropout
    GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization Identity
    InputLayer LSTM LSTMCell LayerNormalization LeakyReLU LocallyConnected1D LocallyConnected2D
    Masking MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum MixUp MultiHeadAttention
    Multiply Normalization PReLU Permute RMSNormalization RNN RandAugment RandomBrightness
    RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop RandomElasticTransform
    RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHeight RandomHue
    RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation
    RandomSharpness RandomShear RandomTranslation RandomWidth RandomZoom ReLU RepeatVector
    Rescaling Reshape Resizing SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell
    SlicingOpLambda Softmax SpatialDropout1D SpatialDropout2D SpatialDropout3D
    SpectralNormalization StackedRNNCells Subtract TFOpLambda ThresholdedReLU TimeDistributed
    UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D
    ZeroPadding3D
    """.split()
)

OPERATIONS = frozenset(KERAS_OPERATIONS)
"""Calls of ``keras.ops`` in a Keras 3 graph."""

FUNCTIONS = frozenset(TENSORFLOW_FUNCTIONS)
"""TensorFlow functions that a ``TFOpLambda`` of Keras 2 may call."""

VALUES = frozenset("__ellipsis__ __keras_tensor__ __numpy__ __slice__ __tensor__ __tuple__".split())
"""Plain values that Keras 3 writes as objects."""

POLICIES = frozenset({"DTypePolicy", "Policy", "TensorShape"})

ACTIVATIONS = frozenset(
    """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh
    leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink
    softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh
    tanh_shrink
    """.split()
)

DTYPES = frozenset(
    """
    float16 float32 float64 bfloat16 mixed_float16 mixed_bfloat16 int8 int16 int32 int64 uint8
    uint16 uint32 uint64 bool
    """.split()
)

PRECISIONS = frozenset({"bfloat16", "float16", "float64", "mixed_bfloat16", "mixed_float16"})
"""Those of them that become float32: tfmot and the TFLite converter know no other training."""

MODULE = re.compile(r"(keras|tf_keras)(\.[a-z_0-9]+){0,6}|builtins|tensorflow\.keras\.layers")
"""Modules a class may come from; nothing is imported by these names all the same."""

FILE_WORDS = frozenset({"vocabulary", "vocabulary_file", "path", "filepath", "file_name"})
"""Options that would read a local file."""
