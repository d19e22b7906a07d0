"""Containers whose every byte the forger decides."""

import base64
import io
import json
import marshal
import struct
import zipfile

import h5py
import numpy as np

_WHEN = (2024, 1, 1, 0, 0, 0)


def zipped(members, compression=zipfile.ZIP_DEFLATED):
    """A zip of (name or ZipInfo, content); the same members give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name, _WHEN)
            info.compress_type = compression
            archive.writestr(info, content)
    return buffer.getvalue()


def link(name):
    """The entry of a symbolic link."""
    info = zipfile.ZipInfo(name, _WHEN)
    info.external_attr = 0o120777 << 16
    return info


def entry_of(data, name):
    """Where a member's entry in the central directory begins."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return data.index(name.encode(), archive.start_dir) - 46


def patched(data, position, form, *values):
    """The bytes with some of them replaced."""
    changed = bytearray(data)
    struct.pack_into(form, changed, position, *values)
    return bytes(changed)


def on_top(data, first, second):
    """A zip in which one member's entry points to another's data."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        offset = archive.getinfo(first).header_offset
    return patched(data, entry_of(data, second) + 42, "<L", offset)


def lying(data, name, size):
    """A zip in which a member declares another size than it unpacks to, in both its headers."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        offset = archive.getinfo(name).header_offset
    return patched(patched(data, entry_of(data, name) + 24, "<L", size), offset + 22, "<L", size)


def encrypted(data, name):
    """A zip in which a member says that it is encrypted."""
    position = entry_of(data, name) + 8
    return patched(data, position, "<H", struct.unpack_from("<H", data, position)[0] | 1)


def overlapping(members, kernel):
    """Fifield's quoted overlap: every member is one kernel of deflated zeros, and all of it.

    Args:
        members: their names.
        kernel: bytes that it unpacks to.
    """
    import zlib

    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(bytes(kernel)) + packer.flush()
    checksum = zlib.crc32(bytes(kernel))
    sizes = (checksum, len(body), kernel)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, *sizes, len(members[0]), 0)
    local += members[0].encode() + body
    directory = b""
    for name in members:
        directory += struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0, *sizes, len(name), 0, 0, 0, 0, 0, 0
        )
        directory += name.encode()
    count = len(members)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(local), 0)
    return local + directory + end


def touching(marker):
    """Python that creates the marker."""
    return f"open({str(marker)!r}, 'w').close()"


class Pickled:
    """Unpickling one of these runs code."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (exec, (touching(self.marker),))


def bytecode(marker):
    """Python byte code as Keras writes a Lambda's function."""
    return base64.b64encode(marshal.dumps(compile(touching(marker), "x", "exec"))).decode()


def hdf5(config=None, change=None, version="2.15.0", attributes=None):
    """A model file of Keras 2 with one Dense layer's weights, under any configuration."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        if config is not None:
            file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = version
        file.attrs["backend"] = "tensorflow"
        for name, value in (attributes or {}).items():
            file.attrs[name] = value
        group = file.create_group("model_weights/dense")
        group.create_group("dense")["kernel:0"] = np.zeros((4, 2), "float32")
        file["model_weights"].attrs["layer_names"] = [b"dense"]
        group.attrs["weight_names"] = [b"dense/kernel:0"]
        if change is not None:
            change(file)
    return buffer.getvalue()


def weights():
    """The weights of a Keras 3 model with one Dense layer."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        group = file.create_group("layers/dense/vars")
        group["0"] = np.zeros((4, 2), "float32")
        group["1"] = np.zeros(2, "float32")
    return buffer.getvalue()


def keras(config, *, metadata=None, replace=None, add=()):
    """A .keras archive of a configuration.

    Args:
        config: as JSON or as text.
        metadata: instead of that of Keras 3.
        replace: member → content.
        add: more members.
    """
    text = config if isinstance(config, str) else json.dumps(config)
    members = {
        "metadata.json": json.dumps(metadata or {"keras_version": "3.15.1"}),
        "config.json": text,
        "model.weights.h5": weights(),
        **(replace or {}),
    }
    return zipped([*members.items(), *add])
