"""What the models of the zoo are put together from, and are tried with."""

import numpy as np

IMAGE, VOLUME, SERIES, VECTOR, WORDS = (8, 8, 3), (6, 6, 6, 2), (10, 4), (6,), (9,)
VOCABULARY = 20


def chain(keras, shape, *layers, dtype="float32"):
    """A functional model that applies layers one after the other."""
    inputs = x = keras.Input(shape, dtype=dtype, name="x")
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def samples(model, count):
    """Seeded input for a model, a list of one array per input; sequences end in zeros."""
    random = np.random.default_rng(0)
    arrays = []
    for tensor in model.inputs:
        shape = (count, *(8 if size is None else size for size in tuple(tensor.shape)[1:]))
        if "int" in str(tensor.dtype):
            array = random.integers(1, VOCABULARY, shape).astype("int32")
        else:
            array = random.random(shape, np.float32)
        if len(shape) == 3 or array.dtype.kind == "i":
            array[::2, -2:] = 0
        arrays.append(array)
    return arrays


def randomize(model):
    """Give every weight another value, so that a lost one shows; but those of ``adapt``."""
    random = np.random.default_rng(0)
    adapted = {id(w) for layer in model.layers if _is_adapted(layer) for w in layer.weights}
    for weight in model.weights:
        if id(weight) not in adapted and np.asarray(weight).dtype.kind == "f":
            change = random.uniform(-0.2, 0.2, weight.shape)
            is_variance = "variance" in weight.name
            weight.assign(np.asarray(weight) + (np.abs(change) if is_variance else change))
    return model


def _is_adapted(layer):
    return type(layer).__name__ == "Normalization"
