"""Convolutions, pooling and what is done to images."""

from tests.models.zoo.parts import IMAGE, SERIES, VOLUME, chain


def conv_1d(k):
    n = k.layers
    return chain(
        k,
        SERIES,
        n.Conv1D(5, 3, padding="causal", dilation_rate=2, activation="relu"),
        n.BatchNormalization(),
        n.SeparableConv1D(4, 3, padding="same"),
        n.DepthwiseConv1D(3, depth_multiplier=2),
        n.Conv1DTranspose(3, 2, strides=2),
        n.ZeroPadding1D(1),
        n.Cropping1D(1),
        n.UpSampling1D(2),
        n.MaxPooling1D(2),
        n.AveragePooling1D(2),
        n.GlobalAveragePooling1D(),
        n.Dense(3, activation="softmax"),
    )


def conv_2d(k):
    n = k.layers
    return chain(
        k,
        IMAGE,
        n.BatchNormalization(),
        n.Conv2D(6, 3, strides=2, padding="same", use_bias=False),
        n.BatchNormalization(),
        n.ReLU(6.0),
        n.DepthwiseConv2D(3, padding="same", activation="relu"),
        n.BatchNormalization(),
        n.SeparableConv2D(5, 3, padding="same", activation="relu"),
        n.Conv2DTranspose(4, 3, strides=2, padding="same"),
        n.LeakyReLU(),
        n.Conv2D(4, 3, dilation_rate=2, groups=2),
        n.ZeroPadding2D(((1, 0), (2, 1))),
        n.Cropping2D(1),
        n.UpSampling2D(2, interpolation="bilinear"),
        n.UpSampling2D((1, 2)),
        n.MaxPooling2D(2),
        n.BatchNormalization(),
        n.AveragePooling2D(2, padding="same"),
        n.GlobalMaxPooling2D(),
        n.Dense(3),
    )


def conv_3d(k):
    n = k.layers
    return chain(
        k,
        VOLUME,
        n.Conv3D(4, 3, padding="same", activation="relu"),
        n.BatchNormalization(),
        n.MaxPooling3D(2),
        n.UpSampling3D(2),
        n.AveragePooling3D(2),
        n.ZeroPadding3D(1),
        n.Cropping3D(1),
        n.GlobalAveragePooling3D(),
        n.Dense(2),
    )


def conv_3d_transpose(k):
    n = k.layers
    return chain(k, VOLUME, n.Conv3DTranspose(3, 2, strides=2), n.GlobalMaxPooling3D(), n.Dense(2))


def locally_connected(k):
    n = k.layers
    return chain(
        k,
        IMAGE,
        n.LocallyConnected2D(3, 3, activation="relu"),
        n.Reshape((36, 3)),
        n.LocallyConnected1D(2, 3),
        n.Flatten(),
        n.Dense(2),
    )


def training_only(k):
    """Layers that do something in training and nothing when the model is used."""
    n = k.layers
    x = inputs = k.Input(IMAGE, name="x")
    for layer in (n.ActivityRegularization(0.1), n.Dropout(0.3), n.GaussianNoise(0.1)):
        x = layer(x)
    for layer in (n.AlphaDropout(0.1), n.GaussianDropout(0.1), n.SpatialDropout2D(0.1)):
        x = layer(x)
    series = n.SpatialDropout1D(0.2)(n.Reshape((16, 12))(x))
    volume = n.SpatialDropout3D(0.2)(n.Reshape((4, 4, 4, 3))(series))
    return k.Model(inputs, n.Dense(2)(n.Flatten()(volume)))


def preprocessing(k):
    n = k.layers
    return chain(
        k,
        IMAGE,
        n.Rescaling(2.0, -1.0),
        n.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 0.5]),
        n.RandomFlip(),
        n.RandomRotation(0.1),
        n.RandomBrightness(0.1),
        n.RandomContrast(0.1),
        n.RandomTranslation(0.1, 0.1),
        n.RandomZoom(0.1),
        n.RandomCrop(8, 8),
        n.Resizing(6, 6),
        n.CenterCrop(4, 4),
        n.Flatten(),
        n.Dense(2),
    )


def random_crop(k):
    n = k.layers
    return chain(k, IMAGE, n.RandomCrop(6, 5), n.Conv2D(3, 3), n.Flatten(), n.Dense(2))


def random_size(k):
    n = k.layers
    sizes = (n.RandomHeight(0.1), n.RandomWidth(0.1))
    return chain(k, IMAGE, *sizes, n.Conv2D(3, 3), n.GlobalMaxPooling2D(), n.Dense(2))


def group_normalization(k):
    n = k.layers
    return chain(k, IMAGE, n.Conv2D(4, 3), n.GroupNormalization(2), n.Flatten(), n.Dense(2))


def any_size(k):
    n = k.layers
    return chain(
        k, (None, None, 3), n.Conv2D(4, 3, padding="same"), n.GlobalAveragePooling2D(), n.Dense(2)
    )


def adaptive(k):
    n = k.layers
    inputs = k.Input(IMAGE, name="x")
    flat = n.AdaptiveAveragePooling1D(5)(n.Reshape((16, 12))(inputs))
    flat = n.Flatten()(n.AdaptiveMaxPooling1D(5)(flat))
    image = n.AdaptiveMaxPooling2D(2)(n.AdaptiveAveragePooling2D(4)(inputs))
    volume = n.AdaptiveAveragePooling3D((4, 3, 4))(n.Reshape((8, 6, 4, 1))(inputs))
    volume = n.AdaptiveMaxPooling3D((2, 3, 2))(volume)
    joined = n.Concatenate()([flat, n.Flatten()(image), n.Flatten()(volume)])
    return k.Model(inputs, n.Dense(2)(joined))


def augmentation(k):
    """What Keras 3 has beyond Keras 2."""
    n = k.layers
    bounds = {"value_range": (0, 1)}
    return chain(
        k,
        IMAGE,
        n.RandomColorDegeneration(0.1, **bounds),
        n.RandomColorJitter((0, 1), 0.1, 0.1, 0.1, 0.1),
        n.RandomElasticTransform(0.1, **bounds),
        n.RandomErasing(0.1, **bounds),
        n.RandomGaussianBlur(0.1, **bounds),
        n.RandomGrayscale(0.1),
        n.RandomHue(0.1, **bounds),
        n.RandomInvert(0.1, **bounds),
        n.RandomPerspective(0.1),
        n.RandomPosterization(4, (0, 255)),
        n.RandomSaturation(0.1, **bounds),
        n.RandomSharpness(0.1, **bounds),
        n.RandomShear((0.0, 0.1), (0.0, 0.1)),
        n.AugMix(**bounds),
        n.CutMix(),
        n.MixUp(),
        n.RandAugment(**bounds),
        n.Conv2D(3, 3),
        n.Flatten(),
        n.Dense(2),
    )
