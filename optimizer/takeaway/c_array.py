"""A ``.tflite`` as a C++ array, for programs on microcontrollers that have no file system."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from optimizer.measure.flatbuffer import Graph, Tensor, parse
from optimizer.takeaway.micro import MicroNeeds, micro_needs

_PER_LINE = 16
_BYTES = np.frombuffer("".join(f"0x{value:02x}," for value in range(256)).encode(), np.uint8)
_TABLE = _BYTES.reshape(256, 5)


@dataclass(frozen=True)
class CArray:
    """A header and a source file.

    Attributes:
        stem: file name of both without ``.h`` and ``.cc``; also the array's name.
        warnings: what will not run on a microcontroller, each as a sentence.
    """

    stem: str
    header: str
    source: bytes
    warnings: tuple[str, ...]


def c_array(tflite: bytes, stem: str, title: str) -> CArray:
    """A file as C++ sources for TensorFlow Lite for Microcontrollers.

    Args:
        tflite: the file.
        stem: its name without an extension; becomes the array's name.
        title: the variant's name, for the comment.

    Raises:
        InputError: the bytes are not a TensorFlow Lite file.
    """
    name, needs = identifier(stem), micro_needs(tflite)
    comment = _comment(tflite, title, needs)
    guard = f"{name.upper()}_H_"
    header = (
        f"{comment}\n"
        f"#ifndef {guard}\n#define {guard}\n\n"
        f"extern const unsigned char {name}[];\n"
        f"extern const unsigned int {name}_len;\n\n"
        f"#endif  // {guard}\n"
    )
    source = b"".join(
        (
            f'{comment}\n#include "{name}.h"\n\n'.encode(),
            f"alignas(16) const unsigned char {name}[] = {{\n".encode(),
            _values(tflite),
            f"}};\nconst unsigned int {name}_len = {len(tflite)};\n".encode(),
        )
    )
    return CArray(name, header, source, needs.warnings)


def identifier(stem: str) -> str:
    """A C identifier that no keyword equals, from any text."""
    readable = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")
    return f"g_{readable or 'model'}"


def _values(data: bytes) -> bytes:
    """The bytes as ``0x..,`` in lines; ten megabytes take well below a second."""
    text = _TABLE[np.frombuffer(data, np.uint8)]
    whole = len(data) // _PER_LINE * _PER_LINE
    lines = np.empty((whole // _PER_LINE, _PER_LINE * 5 + 1), np.uint8)
    lines[:, :-1] = text[:whole].reshape(len(lines), -1)
    lines[:, -1] = ord("\n")
    rest = text[whole:].tobytes()
    return lines.tobytes() + rest + (b"\n" if rest else b"")


def _comment(tflite: bytes, title: str, needs: MicroNeeds) -> str:
    graph = parse(tflite)[0]
    lines = [
        f"{title}: a TensorFlow Lite model, {len(tflite):,} bytes.",
        *_ends("Input", graph, graph.inputs),
        *_ends("Output", graph, graph.outputs),
        "",
        "The operators it needs, for TensorFlow Lite for Microcontrollers:",
        f"  tflite::MicroMutableOpResolver<{len(needs.methods)}> resolver;",
        *(f"  resolver.{method}();" for method in needs.methods),
        *(f"WARNING: {warning}" for warning in needs.warnings),
    ]
    return "".join(f"// {_one_line(line)}".rstrip() + "\n" for line in lines)


def _ends(label: str, graph: Graph, indices: tuple[int, ...]) -> list[str]:
    return [
        f"{label} {position}: {_described(graph.tensors[index])}"
        for position, index in enumerate(indices)
        if index >= 0
    ]


def _described(tensor: Tensor) -> str:
    shape = " x ".join(map(str, tensor.shape))
    text = f"{tensor.dtype}, shape {shape}"
    if tensor.quantization is None or tensor.dtype.startswith("float"):
        return text
    scale, zero = tensor.quantization.scale[0], tensor.quantization.zero_point[0]
    return f"{text}, scale {scale:.9g}, zero point {zero}: real = scale * (stored - zero point)"


def _one_line(text: str) -> str:
    """Printable ASCII without a backslash, which would carry a comment on to the next line."""
    plain = text.replace("·", "-").replace("×", "x").replace("−", "-")  # as in variants' names
    return re.sub(r"[^ -\[\]-~]", "?", plain)
