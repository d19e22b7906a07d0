"""Small seeded datasets from which the benchmark's models can learn something."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Arrays = dict[str, np.ndarray]
TRAIN, TEST, CLASSES, WORDS = 320, 120, 4, 20


def patterns(*shape: int) -> Callable[[], Arrays]:
    """Classes that are a pattern each, under noise."""

    def make() -> Arrays:
        random = np.random.default_rng(0)
        means = random.normal(size=(CLASSES, *shape))
        labels = random.integers(0, CLASSES, TRAIN + TEST)
        samples = means[labels] + random.normal(0.0, 1.2, (len(labels), *shape))
        return _split(samples.astype("float32"), labels)

    return make


def tokens(length: int) -> Callable[[], Arrays]:
    """Sentences whose class shows in which words are frequent."""

    def make() -> Arrays:
        random = np.random.default_rng(0)
        frequent = random.dirichlet(np.full(WORDS, 0.4), CLASSES)
        labels = random.integers(0, CLASSES, TRAIN + TEST)
        sentences = [random.choice(WORDS, length, p=frequent[label]) for label in labels]
        return _split(np.array(sentences, "int32"), labels)

    return make


def curves(size: int) -> Arrays:
    """Samples that three numbers describe, without labels: for an autoencoder."""
    random = np.random.default_rng(0)
    samples = np.tanh(random.normal(size=(TRAIN + TEST, 3)) @ random.normal(size=(3, size)))
    return {key: part for key, part in _split(samples.astype("float32")).items() if key[0] == "x"}


def prices(size: int) -> Arrays:
    """A real target, from measurements on scales of their own."""
    random = np.random.default_rng(0)
    samples = random.normal(size=(TRAIN + TEST, size))
    target = samples @ random.normal(size=size) + samples[:, 0] * samples[:, 1]
    scaled = samples * np.linspace(1.0, 20.0, size) + 5.0
    return _split(scaled.astype("float32"), target.astype("float32"))


def shapes(size: int) -> Arrays:
    """Images with a bright square, and its soft mask."""
    random = np.random.default_rng(0)
    masks = np.full((TRAIN + TEST, size, size, 1), 0.05, "float32")
    for mask in masks:
        top, left = random.integers(0, size // 2, 2)
        mask[top : top + size // 2, left : left + size // 2] = 0.95
    images = masks + random.normal(0.0, 0.5, (*masks.shape[:3], 3))
    return _split(images.astype("float32"), masks)


def pairs(first: int, second: int) -> Arrays:
    """Two inputs, named as the model's, of which both are needed."""
    one, other = patterns(first)(), patterns(second)()
    arrays = {key: value for key, value in one.items() if key[0] == "y"}
    for part in ("train", "test"):
        arrays[f"x_{part}_left"], arrays[f"x_{part}_right"] = one[f"x_{part}"], other[f"x_{part}"]
    return arrays


def _split(samples: np.ndarray, labels: np.ndarray | None = None) -> Arrays:
    arrays = {"x_train": samples[:TRAIN], "x_test": samples[TRAIN:]}
    if labels is not None:
        arrays |= {"y_train": labels[:TRAIN], "y_test": labels[TRAIN:]}
    return arrays
