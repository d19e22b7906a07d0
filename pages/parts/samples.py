"""Samples as a person looks at them: pictures as pictures, rows as rows, sequences as numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

MOST_COLUMNS = 50
"""Values of a sample that get a column of their own; of more, the first are listed."""
_LISTED = 12


def is_picture(x: np.ndarray) -> bool:
    """Whether samples, shape (n, …), can be drawn: height × width, grey or red, green, blue."""
    return x.ndim in (3, 4) and min(x.shape[1:3]) >= 4 and (x.ndim == 3 or x.shape[3] in (1, 3))


def draw_pictures(
    x: np.ndarray, captions: Sequence[str | None], alts: Sequence[str], width: int = 64
) -> None:
    """Draw samples in a row that wraps; black is the smallest value of all, white the largest.

    Args:
        x: shape (n, height, width) or (n, height, width, 1 or 3).
        captions: below each.
        alts: what each shows, for who cannot see it.
        width: of each, pixels.
    """
    low, high = float(x.min()), float(x.max())
    scaled = ((x - low) / ((high - low) or 1.0) * 255).astype("uint8")
    factor = max(1, width // scaled.shape[1])
    large = scaled.repeat(factor, axis=1).repeat(factor, axis=2)
    images = [
        image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image for image in large
    ]
    with st.container(horizontal=True):
        for image, caption, alt in zip(images, captions, alts, strict=True):
            st.image(image, caption=caption, width=width, alt=alt)


def as_columns(x: np.ndarray, names: Sequence[str], prefix: str) -> dict[str, list[object]]:
    """Samples as columns of a table: one for each value, or one text where they are too many.

    Args:
        x: shape (n, …).
        names: of the values of a sample, where they are known.
        prefix: what the column or columns are called otherwise.
    """
    flat = x.reshape(len(x), -1)
    whole = x.ndim == 2 and np.array_equal(flat, np.round(flat)) and not names
    if x.ndim <= 2 and flat.shape[1] <= MOST_COLUMNS and not whole:
        known = len(names) == flat.shape[1]
        titles = names if known else [f"{prefix} {index}" for index in range(flat.shape[1])]
        return {title: list(column) for title, column in zip(titles, flat.T, strict=True)}
    shape = " × ".join(map(str, x.shape[1:]))
    more = " …" if flat.shape[1] > _LISTED else ""
    return {
        f"{prefix} ({shape})": [
            ", ".join(f"{value:g}" for value in row[:_LISTED]) + more for row in flat
        ]
    }
