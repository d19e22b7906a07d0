"""Writes files.zip's members with the TensorFlow, or the Keras, that it runs under.

    python make.py FOLDER          # tf.keras, of TensorFlow 1.14, 2.0, 2.4, 2.12 and 2.13
    python make.py FOLDER keras    # keras 2.1.2 over TensorFlow 1.14, 3.0.5 and 3.8.0 over 2.16

Each model is in every format of its day, beside inputs and what it answered itself. The folders,
named by version, were zipped as they came out; SavedModels of ``words`` are left out for size.
"""

import importlib
import shutil
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

folder, of_its_own = Path(sys.argv[1]), len(sys.argv) > 2
keras = importlib.import_module("keras") if of_its_own else tf.keras
layers = keras.layers
is_keras_3 = of_its_own and keras.__version__.startswith("3.")
version = tuple(int(part) for part in tf.__version__.split(".")[:2])


def images():
    """A Sequential model inside, called twice; frozen and trainable statistics."""
    inner = keras.models.Sequential(name="inner")
    inner.add(layers.SeparableConv2D(3, 3, padding="same", input_shape=(6, 6, 3)))
    inner.add(layers.ReLU(6.0) if hasattr(layers, "ReLU") else layers.Activation("relu"))
    inputs = layers.Input((8, 8, 2), name="image")
    x = layers.Conv2D(3, 3, use_bias=False)(inputs)
    x = layers.LeakyReLU(0.2)(layers.BatchNormalization()(x))
    x = layers.Add()([inner(x), layers.AveragePooling2D(1)(inner(x))])
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
    return keras.models.Model(inputs, layers.Dense(3, activation="softmax")(x))


def words():
    """Masks, and activations that mean something else in Keras 3."""
    inputs = layers.Input((7,), name="words")
    x = layers.Embedding(12, 4, mask_zero=True)(inputs)
    x = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(x)
    x = layers.GRU(2, recurrent_activation="hard_sigmoid")(x)
    return keras.models.Model(inputs, layers.Dense(2, activation="hard_sigmoid")(x))


def ends():
    """Several inputs and outputs; a layer that is called twice."""
    a, b = layers.Input((4,), name="zeta"), layers.Input((5, 4), name="alpha")
    twin = layers.Dense(3, activation="elu")
    joined = layers.Concatenate()([twin(a), layers.Flatten()(twin(b))])
    outputs = [layers.Dense(2, name="zebra")(joined), layers.Dense(3, name="ape")(twin(a))]
    return keras.models.Model([a, b], outputs)


def transfer():
    """A functional model inside a Sequential one, and augmentation."""
    base_inputs = layers.Input((8, 8, 2))
    base = keras.models.Model(base_inputs, layers.Conv2D(3, 3)(base_inputs), name="base")
    before = [layers.Input((8, 8, 2)), layers.RandomRotation(0.1)]
    after = [layers.BatchNormalization(), layers.GlobalAveragePooling2D(), layers.Dense(2)]
    return keras.models.Sequential([*before, base, *after])


def answers(model, xs):
    """A list of the model's outputs."""
    ys = model.predict(xs if len(xs) > 1 else xs[0])
    return ys if isinstance(ys, list) else [ys]


def save(model, path):
    """Write a model in every format."""
    if is_keras_3:
        model.save(f"{path}.keras")
        if keras.__version__ != "3.0.5":  # which cannot write every model so
            model.save(f"{path}.h5")
        return
    model.save(f"{path}.h5")
    if version >= (2, 0):
        model.save(str(path), save_format="tf")
        shutil.make_archive(str(path), "zip", str(path))
        shutil.rmtree(str(path))
    if version >= (2, 12):
        model.save(f"{path}.keras", save_format="keras_v3" if version == (2, 12) else "keras")


random = np.random.RandomState(0)
padded = np.array([[1, 2, 3, 4, 5, 6, 7], [11, 9, 3, 0, 0, 0, 0], [4, 0, 0, 0, 0, 0, 0]])
samples = {
    images: [random.rand(4, 8, 8, 2)],
    words: [padded],
    ends: [random.rand(4, 4), random.rand(4, 5, 4)],
}
if is_keras_3:
    samples[transfer] = [random.rand(4, 8, 8, 2)]
folder.mkdir(exist_ok=True)
for build, inputs in samples.items():
    model = build()
    model.set_weights([w + random.uniform(0, 0.5, w.shape) for w in model.get_weights()])
    model.compile("adam", "mse")
    xs = [x.astype("float32") for x in inputs]
    model.train_on_batch(xs, [np.zeros_like(y) for y in answers(model, xs)])
    ys = answers(model, xs)
    arrays = {f"x{i}": x for i, x in enumerate(xs)}
    arrays.update({f"y{i}": y for i, y in enumerate(ys)})
    np.savez(str(folder / f"{build.__name__}.npz"), **arrays)
    save(model, folder / build.__name__)
