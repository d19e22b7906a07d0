"""The batches of a training are those that tf_keras makes of arrays, without tf.data's thread."""

import numpy as np
import pytest
import tf_keras as keras

from optimizer.techniques.batches import batches
from optimizer.techniques.training import make_deterministic

RANDOM = np.random.default_rng(0)


def model():
    first, second = keras.Input((6,)), keras.Input((3,))
    both = keras.layers.Concatenate()([first, second])
    hidden = keras.layers.Dropout(0.3)(keras.layers.Dense(8, activation="relu")(both))
    outputs = [keras.layers.Dense(2)(hidden), keras.layers.Dense(1)(hidden)]
    made = keras.Model([first, second], outputs)
    made.compile("adam", ["mse", "mse"])
    return made


def samples(count):
    x = [RANDOM.normal(size=(count, width)).astype("float32") for width in (6, 3)]
    return x, [RANDOM.normal(size=(count, width)).astype("float32") for width in (2, 1)]


@pytest.mark.parametrize(("count", "epochs"), [(100, 3), (64, 2), (20, 4), (100, 1)])
def test_training_gives_the_same_bits_as_fit_with_arrays(count, epochs):
    x, y = samples(count)
    found = []
    for own in (False, True):
        keras.backend.clear_session()
        make_deterministic(3)
        trained = model()
        if own:
            data, steps = batches(x, y, 32, epochs=epochs, shuffle=True)
            trained.fit(data, epochs=epochs, steps_per_epoch=steps, verbose=0)
        else:
            trained.fit(x, y, epochs=epochs, batch_size=32, verbose=0)
        found.append(trained.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))


def test_predictions_are_of_every_sample_in_order():
    x, _ = samples(70)
    made = model()
    data, steps = batches(x, None, 64)
    assert steps == 2
    expected = made.predict(x, batch_size=64, verbose=0)
    found = made.predict(data, steps=steps, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_nothing_tunes_in_a_thread_that_would_be_waited_for():
    data, _ = batches(*samples(10), 4, epochs=2)
    assert data.options().autotune.enabled is False
