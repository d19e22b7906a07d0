"""The plain CNN of the guides, and images of its size: ``python -m benchmarks.guide_cnn FOLDER``.

The images are the bundled handwritten digits, enlarged to 28 × 28 and moved by up to two pixels,
because no other images are at hand without a network.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from optimizer import samples

ROOT = Path(__file__).resolve().parents[1]
MODEL, DATA = "guide_cnn.keras", "guide_cnn.npz"
_COPIES, _TEST_COPIES, _EPOCHS = 4, 2, 3

File = tuple[str, bytes]


def files(folder: Path) -> tuple[File, File]:
    """The trained model and its data, made in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.guide_cnn", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    model, data = ((name, (folder / name).read_bytes()) for name in (MODEL, DATA))
    return model, data


def images() -> dict[str, np.ndarray]:
    """``x_train``, ``y_train``, ``x_test``, ``y_test``: float32 in [0, 1], shape (n, 28, 28, 1)."""
    random = np.random.default_rng(0)
    with np.load(samples.DATASETS["digits"].path) as digits:
        given = {name: digits[name] for name in digits.files}
    made = {}
    for part, copies in (("train", _COPIES), ("test", _TEST_COPIES)):
        small = given[f"x_{part}"].reshape(-1, 8, 8).astype("float32")
        small = np.concatenate([small / small.max()] * copies)
        large = np.kron(small, np.ones((3, 3), "float32"))
        canvas = np.zeros((len(large), 28, 28, 1), "float32")
        moves = random.integers(0, 5, (len(large), 2))
        for place, image, (down, right) in zip(canvas, large, moves, strict=True):
            place[down : down + 24, right : right + 24, 0] = image
        made[f"x_{part}"] = canvas
        made[f"y_{part}"] = np.concatenate([given[f"y_{part}"]] * copies)
    return made


def main(folder: str) -> None:
    """Build and train the model, and write it and the images."""
    import keras

    keras.utils.set_random_seed(0)
    data, layers = images(), keras.layers
    model = keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(data["x_train"], data["y_train"], batch_size=32, epochs=_EPOCHS, verbose=0)
    model.save(Path(folder) / MODEL)
    np.savez(Path(folder) / DATA, allow_pickle=False, **data)


if __name__ == "__main__":
    main(*sys.argv[1:])
