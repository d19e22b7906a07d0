"""NumPy archives with code, lies and bombs inside."""

import io
import pickle
import struct
import zipfile

import numpy as np

from tests.hostile import HostileFile
from tests.hostile.forge import Pickled, encrypted, link, lying, on_top, overlapping, zipped


def npy(array):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array)
    return buffer.getvalue()


def header(text, version=1):
    """An array whose header is any text."""
    content = text.encode().ljust(117) + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(content))
    return b"\x93NUMPY" + bytes([version, 0]) + length + content


def honest():
    x, y = np.zeros((20, 8, 8, 1), np.uint8), np.arange(20) % 10
    return {"x.npy": npy(x), "y.npy": npy(y)}


def archive(**changes):
    members = honest()
    members.update({f"{name}.npy": content for name, content in changes.items()})
    return zipped(members.items())


def files(targets):
    marker = targets.marker

    def refused(name, tries, phrase, data):
        return HostileFile(f"npz_{name}", "dataset", tries, phrase, data, f"npz_{name}")

    pickled = pickle.dumps(Pickled(marker))
    objects = header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }") + pickled
    yield refused(
        "objects.npz", "unpickle an array of objects", "holds Python objects", archive(x=objects)
    )
    record = header("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,), }")
    yield refused(
        "objects_in_records.npz",
        "unpickle objects in records",
        "The array 'y' holds Python objects",
        archive(y=record + pickled),
    )
    yield refused(
        "pickle.npz",
        "be a pickle in place of an array",
        "the magic string is not correct",
        archive(x=pickled),
    )
    yield refused("pickle.npy", "be a pickle itself", "is a pickle, which can run code", pickled)
    code = f"{{'descr': '<f4', 'fortran_order': False, 'shape': (exec({str(marker)!r}),)}}"
    yield refused(
        "header_code.npz",
        "run code in a header",
        "cannot be read (malformed node or string on line 1: <ast.Call>)",
        archive(x=header(code)),
    )
    yield refused(
        "header_parentheses.npz",
        "overflow the parser of a header",
        "EOF in multi-line",
        archive(y=header("(" * 9_000)),
    )
    long = b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + bytes(40_000_000)
    yield refused(
        "header_long.npz",
        "fill the memory with a header",
        "declares a header of 2,147,483,648 bytes",
        archive(x=long),
    )
    shape = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }"
    yield refused(
        "shape_lies.npz",
        "declare 4 TB",
        "which takes 4398046511232 bytes",
        archive(x=header(shape % "1048576, 1048576")),
    )
    yield refused(
        "shape_negative.npz",
        "declare fewer than no values",
        "declares the shape (-1, 4)",
        archive(x=header(shape % "-1, 4")),
    )
    yield refused(
        "version.npz",
        "be of another version",
        "unknown .npy version (9, 0)",
        archive(x=header("", 9)),
    )
    yield refused("texts.npz", "hold text", "has dtype <U3", archive(y=npy(np.array(["abc"] * 20))))
    yield refused(
        "records.npz",
        "hold records",
        "has dtype [('a'",
        archive(x=npy(np.zeros(20, [("a", "f4")]))),
    )
    yield refused(
        "dates.npz",
        "hold dates",
        "has dtype datetime64[D]",
        archive(y=npy(np.zeros(20, "datetime64[D]"))),
    )
    yield refused(
        "other_member.npz",
        "bring a script",
        "'run.sh', which is not the name",
        zipped([*honest().items(), ("run.sh", b"#!/bin/sh")]),
    )
    yield refused(
        "traversal.npz",
        "write above the folder",
        "'../x.npy', a path",
        zipped([*honest().items(), ("../x.npy", b"")]),
    )
    yield refused(
        "link.npz",
        "read another file",
        "'x_test.npy' in this zip is a symbolic link",
        zipped([*honest().items(), (link("x_test.npy"), str(targets.secret))]),
    )
    twice = zipped([*honest().items(), ("Y.npy", b"")])
    yield refused(
        "twice.npz",
        "be two things at once",
        "same name, 'y.npy'",
        twice.replace(b"Y.npy", b"y.npy"),
    )
    yield refused(
        "case.npz",
        "differ in case only",
        "both 'y' and 'Y'",
        zipped([*honest().items(), ("Y.npy", npy(np.arange(20)))]),
    )
    names = [f"x_train_{i}.npy" for i in range(60)]
    yield refused(
        "fifield.npz",
        "unpack a kernel sixty times",
        "'x_train_0.npy' in this zip lies on top",
        overlapping(names, 2**24),
    )
    zeros = npy(np.zeros(70 * 2**20, np.uint8))
    yield refused(
        "bomb.npz", "unpack to 70 MB of zeros", "'x.npy' would unpack from", archive(x=zeros)
    )
    part = npy(np.zeros(12 * 2**20, np.uint8))
    many = {f"x_{i}.npy": part for i in range(6)}
    yield refused(
        "bomb_in_parts.npz",
        "unpack to many arrays, each small enough",
        "together, which no real data does",
        zipped(many.items()),
    )
    yield refused(
        "on_top.npz",
        "read one array as another",
        "'x.npy' in this zip lies on top",
        on_top(archive(), "x.npy", "y.npy"),
    )
    yield refused(
        "encrypted.npz", "hide its content", "This zip is encrypted", encrypted(archive(), "x.npy")
    )
    yield refused(
        "lying.npz",
        "declare 3 GB in one member",
        "unpacks to 3.0 GiB",
        lying(archive(), "x.npy", 3 * 2**30),
    )
    yield refused(
        "bzip2.npz",
        "use an unexpected decompressor",
        "in a way that NumPy does not",
        zipped(honest().items(), zipfile.ZIP_BZIP2),
    )
    yield refused("empty.npz", "have nothing in it", "The file contains no arrays", zipped([]))
    members = [*honest().items(), *((f"z{i}.npy", b"") for i in range(65))]
    yield refused("many.npz", "have 67 members", "declares 67 files; at most 64", zipped(members))
    yield refused("array.npy", "be a single array", "is a single array (.npy)", npy(np.zeros(4)))
