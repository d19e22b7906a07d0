"""Zipped folders of images, one folder per class, that strangers made.

Names and sizes are checked from the zip's directory, in the app's process too; images are
decoded by Pillow in stage processes only, each after its declared size was checked.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from optimizer.data.options import DataOptions
from optimizer.data.raw import ArrayHeader, Raw, UploadSummary
from optimizer.errors import InputError, reason_of
from optimizer.zips import DAMAGED, open_zip, read_member, unpacked_bytes

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"})
MAX_IMAGES = 65_000
MAX_DIRECTORY_BYTES = 32 * 2**20
MAX_FILE_BYTES = 64 * 2**20
MAX_PIXELS = 50_000_000
"""Pixels of one image before it is resized."""
MAX_VALUES = 2**29
_TEST = ("test", "val", "valid", "validation")
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
"""Whatever the name says; Pillow knows others, of which EPS would start Ghostscript."""
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class Layout:
    """Which member of the zip is a sample of which class.

    Attributes:
        parts: for the one part, or for train and test: the members in a fixed order.
        classes: class names, in alphabetical order; empty for images without folders.
        labels: for each part the class index of each member.
        ignored: names of members that are no images.
    """

    parts: tuple[tuple[str, ...], ...]
    classes: tuple[str, ...]
    labels: tuple[tuple[int, ...], ...]
    ignored: tuple[str, ...]


def has_images(names: Sequence[str]) -> bool:
    """Whether any of a zip's members is named like an image."""
    return any(PurePosixPath(name).suffix.lower() in SUFFIXES for name in names)


def inspect_images(data: bytes) -> UploadSummary:
    """Check a zip of images by its directory alone.

    Raises:
        InputError: damaged, too large, or without images in a form that can be used.
    """
    with open_zip(data, "zip of images", MAX_IMAGES, MAX_DIRECTORY_BYTES) as archive:
        layout = choose_layout(_names(archive))
    counts = {
        name: sum(labels.count(index) for labels in layout.labels)
        for index, name in enumerate(layout.classes)
    }
    names = ("x_train", "x_test") if len(layout.parts) == 2 else ("x",)
    arrays = [ArrayHeader(n, (len(p),), "image") for n, p in zip(names, layout.parts, strict=True)]
    return UploadSummary(
        tuple(arrays), len(layout.parts) == 2, layout.ignored, format="images", classes=counts
    )


def read_images(data: bytes, options: DataOptions) -> Raw:
    """Decode and resize the images: uint8, shape (n, height, width, channels).

    Bilinear, without keeping the aspect ratio, as Keras's own reader does by default.
    Source: https://keras.io/api/data_loading/image/.

    Raises:
        InputError: see :func:`inspect_images`; also when the model takes no images.
    """
    height, width, channels = _target(options)
    with open_zip(data, "zip of images", MAX_IMAGES, MAX_DIRECTORY_BYTES) as archive:
        layout = choose_layout(_names(archive))
        count = sum(map(len, layout.parts))
        if count * height * width * channels > MAX_VALUES:
            raise InputError(
                f"{count:,} images of {height} × {width} × {channels} have more than "
                f"{MAX_VALUES:,} values in all. Use fewer images or a smaller model input."
            )
        unread: dict[str, str] = {}
        xs, ys = [], []
        for members, labels in zip(layout.parts, layout.labels, strict=True):
            x, kept = _decoded(archive, members, (height, width, channels), unread)
            xs.append(x)
            ys.append(np.asarray(labels or [0] * len(members), np.int64)[kept])
    _refuse_if_mostly_unread(unread, count)
    notes = [f"Images are resized to {height} × {width} (bilinear), {_colour(channels)}."]
    if unread:
        notes.append(f"Not readable as images and left out: {_listed([*unread])}.")
    if layout.ignored:
        notes.append(f"Not used from the zip: {_listed(layout.ignored)}.")
    targets = {"y": tuple(ys)} if layout.classes else {}
    return Raw("images", {"x": tuple(xs)}, targets, tuple(notes), layout.classes)


def choose_layout(names: Sequence[str]) -> Layout:
    """Which images belong to which class and part, by their folders.

    ``class/a.png``, ``train/class/a.png`` with ``test/class/b.png``, or images without folders,
    each also inside one outer folder.

    Raises:
        InputError: there is no image, or the folders are in no such form.
    """
    images = sorted(n for n in names if PurePosixPath(n).suffix.lower() in SUFFIXES)
    ignored = tuple(sorted(set(names) - set(images)))
    if not images:
        raise InputError("The zip contains no images (.png, .jpg, .bmp, .gif, .webp).")
    folders = {name: PurePosixPath(name).parts[:-1] for name in images}
    folders = _without_outer(folders)
    first = {parts[0].lower() for parts in folders.values() if parts}
    test = next((name for name in _TEST if name in first), None)
    if "train" in first and test:
        tops = {name: folder[0].lower() for name, folder in folders.items() if folder}
        parts = [[n for n, top in tops.items() if top == part] for part in ("train", test)]
        folders = {n: folders[n][1:] for part in parts for n in part}
        ignored += tuple(sorted(set(images) - set(folders)))
    else:
        parts = [list(folders)]
    if all(not folder for folder in folders.values()):
        return Layout(tuple(map(tuple, parts)), (), tuple(() for _ in parts), ignored)
    _refuse_other_depths(folders)
    classes = sorted({folder[0] for folder in folders.values()})
    labels = tuple(tuple(classes.index(folders[n][0]) for n in part) for part in parts)
    return Layout(tuple(map(tuple, parts)), tuple(classes), labels, ignored)


def _without_outer(folders: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The folders without the one that all are in, unless that is the only class."""
    found = dict(folders)
    while True:
        outer = {folder[:1] for folder in found.values()}
        deeper = all(len(folder) > 1 for folder in found.values())
        if len(outer) > 1 or not deeper:
            return found
        found = {name: folder[1:] for name, folder in found.items()}


def _refuse_other_depths(folders: Mapping[str, tuple[str, ...]]) -> None:
    for name, folder in folders.items():
        if len(folder) != 1:
            raise InputError(
                f"The image {name[:200]!r} is not in a class's folder. Put each class's images "
                "into one folder: class/image.png; or train/class/image.png and "
                "test/class/image.png."
            )
    if len(set(folders.values())) < 2:
        raise InputError(
            f"All images are in one folder, {next(iter(folders.values()))[0]!r}. Give each class "
            "its folder; or zip the images without a folder, for data without labels."
        )


def _target(options: DataOptions) -> tuple[int, int, int]:
    shape = options.sample_shape or (None, None, 3)
    if len(shape) not in (2, 3):
        raise InputError(
            f"The model takes samples of shape {tuple(shape)}, which are not images. Bring the "
            "data as .npz or .csv."
        )
    height, width = (size or free for size, free in zip(shape, options.image_size, strict=False))
    channels = (shape[2] or 3) if len(shape) == 3 else 1
    if channels not in _MODES:
        raise InputError(
            f"The model takes images of {channels} channels; image files give 1 (grey), 3 "
            "(colour) or 4 (with transparency). Bring the data as .npz."
        )
    return height, width, channels


def _decoded(
    archive: zipfile.ZipFile,
    members: Sequence[str],
    shape: tuple[int, int, int],
    unread: dict[str, str],
) -> tuple[np.ndarray, list[int]]:
    """The images that can be read, and their positions among the members."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    height, width, channels = shape
    x = np.zeros((len(members), height, width, channels), np.uint8)
    kept: list[int] = []
    for index, member in enumerate(members):
        try:
            pixels = _pixels(read_member(archive, archive.getinfo(member), "zip"), shape)
            x[len(kept)] = np.asarray(pixels).reshape(shape)
        except (*DAMAGED, ValueError, SyntaxError, Image.DecompressionBombError, RuntimeError,
                MemoryError, TypeError, KeyError, IndexError) as error:  # fmt: skip
            unread[member] = _why(error)
            continue
        kept.append(index)
    return x[: len(kept)], kept


def _pixels(data: bytes, shape: tuple[int, int, int]) -> Any:
    """The one picture in a file, resized; its declared size is checked before it is decoded."""
    from PIL import Image

    height, width, channels = shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    with image:
        if image.width * image.height > MAX_PIXELS:
            raise InputError(
                f"it declares {image.width:,} × {image.height:,} pixels, more than "
                f"{MAX_PIXELS // 10**6} million"
            )
        if getattr(image, "is_animated", False):
            raise InputError("it has several pictures, as an animation or a document")
        return image.convert(_MODES[channels]).resize((width, height), Image.Resampling.BILINEAR)


def _why(error: Exception) -> str:
    """The reason why an image cannot be read, to follow a colon."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, InputError):
        return str(error).rstrip(".")
    if isinstance(error, UnidentifiedImageError):
        return "it is none of PNG, JPEG, BMP, GIF, WebP and TIFF inside"
    if isinstance(error, Image.DecompressionBombError):
        return f"it declares more than {MAX_PIXELS // 10**6} million pixels"
    return f"it is damaged ({reason_of(error)[:120]})"


def _refuse_if_mostly_unread(unread: Mapping[str, str], count: int) -> None:
    if 2 * len(unread) > count:
        name, reason = next(iter(unread.items()))
        raise InputError(
            f"{len(unread):,} of {count:,} images cannot be read, such as {name[:200]!r}: "
            f"{reason}. Save the images again as PNG or JPEG."
        )


def _names(archive: zipfile.ZipFile) -> list[str]:
    """Members that are files, without what operating systems leave behind."""
    unpacked_bytes(archive, "zip of images", MAX_FILE_BYTES)
    names = [member.filename for member in archive.infolist() if not member.is_dir()]
    return [name for name in names if not _is_hidden(name)]


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") or part in ("__MACOSX", "Thumbs.db") for part in parts)


def _colour(channels: int) -> str:
    return {1: "grey", 3: "in colour", 4: "in colour with transparency"}[channels]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(name[:60] for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")
