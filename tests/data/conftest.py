"""Small .npz files, good and hostile."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from optimizer.data.stage import prepare_data
from optimizer.stage import ignore_progress


def npz(compressed=False, **arrays) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def zipped(members: dict[str, bytes], compression=zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def npy(array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def prepare(data: bytes, file_name="data.npz", test_share=0.25, split_seed=0, **options):
    params = {"file_name": file_name, "test_share": test_share, "split_seed": split_seed}
    params["options"] = options
    return prepare_data(params, {"file": {"data": data}}, ignore_progress)


@pytest.fixture
def four():
    """x_train, y_train, x_test, y_test of 3 classes, images 4 × 4 × 1."""
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.random((30, 4, 4, 1)),
        "y_train": np.arange(30) % 3,
        "x_test": rng.random((12, 4, 4, 1)),
        "y_test": np.arange(12) % 3,
    }
