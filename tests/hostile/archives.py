"""Zip archives that are models by their names, and traps by their structure."""

import struct

from tests.hostile import HostileFile
from tests.hostile.configs import dense, model
from tests.hostile.forge import encrypted, keras, link, lying, on_top, overlapping, zipped


def files(targets):
    secret = str(targets.secret)
    honest = model(dense())

    def refused(name, tries, phrase, data):
        return HostileFile(f"zip_{name}", "model", tries, phrase, data, f"zip_{name}")

    yield refused(
        "traversal.keras",
        "write above the folder",
        "'../../evil', a path that leads",
        keras(honest, add=[("../../evil", b"x")]),
    )
    yield refused(
        "traversal_inside.keras",
        "hide the way out in the middle",
        "'a/../../../evil', a path that leads",
        keras(honest, add=[("a/../../../evil", b"x")]),
    )
    yield refused(
        "absolute.keras",
        "write to an absolute path",
        "'/etc/cron.d/evil', a path",
        keras(honest, add=[("/etc/cron.d/evil", b"x")]),
    )
    yield refused(
        "backslashes.keras",
        "write above the folder on Windows",
        r"'..\\..\\evil', a path",
        keras(honest, add=[("..\\..\\evil", b"x")]),
    )
    yield refused(
        "drive.keras",
        "write to a drive",
        r"'C:\\evil', a path",
        keras(honest, add=[("C:\\evil", b"x")]),
    )
    yield refused(
        "link.keras",
        "read another file through a link",
        "is a symbolic link",
        keras(honest, add=[(link("assets"), secret)]),
    )
    whole = keras(honest, add=[("copy", b"x"), ("config.jsoN", b"{}")])
    yield refused(
        "twice.keras",
        "be one model for the check, another for the loader",
        "two files of the same name, 'config.json'",
        whole.replace(b"config.jsoN", b"config.json"),
    )
    yield refused(
        "encrypted.keras",
        "hide its content",
        "is encrypted",
        encrypted(keras(honest), "config.json"),
    )
    yield refused(
        "overlap.keras",
        "unpack the same bytes twice",
        "lies on top of what follows",
        on_top(keras(honest), "metadata.json", "config.json"),
    )
    bomb = overlapping(["config.json", *(f"{i}" for i in range(1_000))], 10_000_000)
    yield refused(
        "fifield.zip",
        "unpack 10 kB to 10 GB by overlapping members",
        "'config.json' in this zip archive lies on top",
        bomb,
    )
    yield refused(
        "bomb.keras",
        "unpack to 48 MB of zeros",
        "'model.weights.h5' in the .keras file would unpack",
        keras(honest, replace={"model.weights.h5": bytes(48 * 2**20)}),
    )
    yield refused(
        "bomb_config.keras",
        "fill the memory with its configuration",
        "'config.json' in the .keras file would be 62,914,560",
        keras("0" * 60 * 2**20),
    )
    liar = keras(honest, replace={"config.json": b"{" + b" " * 64_000_000})
    yield refused(
        "bomb_that_lies.keras",
        "declare 1 kB and unpack to 64 MB",
        "'config.json' cannot be read (Bad CRC-32",
        lying(liar, "config.json", 1_000),
    )
    yield refused(
        "shorter.keras",
        "declare more than there is",
        "of the 5,000 bytes that it declares",
        lying(keras(honest), "config.json", 5_000),
    )
    yield refused(
        "nested.keras",
        "hide a bomb in an archive in an archive",
        "'inner.zip'",
        keras(honest, add=[("inner.zip", zipped([("bomb", bytes(10**7))]))]),
    )
    yield refused(
        "assets.keras",
        "bring a vocabulary file",
        "'assets/vocabulary.txt'",
        keras(honest, add=[("assets/vocabulary.txt", b"x")]),
    )
    end = keras(honest)
    position = len(end) - 22
    many = end[: position + 8] + struct.pack("<HH", 60_000, 60_000) + end[position + 12 :]
    yield refused(
        "many_files.keras", "declare 60,000 files", "declares 60,000 files; at most", many
    )
    fewer = end[: position + 8] + struct.pack("<HH", 2, 2) + end[position + 12 :]
    yield refused(
        "hidden_file.keras",
        "list a file more than it declares",
        "declares 2 files and lists 3",
        fewer,
    )
    yield refused(
        "zip64.keras",
        "declare more than 4 GiB",
        "more than 4 GiB or 65,535",
        end[:position] + b"PK\x06\x07" + bytes(16) + end[position:],
    )
    yield refused("truncated.keras", "be cut short", "its directory is missing", end[:-40])
    yield refused(
        "no_config.keras",
        "be any other zip",
        "has no config.json",
        zipped([("readme.txt", b"hello")]),
    )
    yield refused(
        "two_graphs.zip",
        "bring two SavedModels",
        "has 2 files named saved_model.pb",
        zipped([("a/saved_model.pb", b""), ("b/saved_model.pb", b"")]),
    )
    yield refused(
        "graph_assets.zip",
        "have the graph read a file it brings",
        "'assets/words.txt'",
        zipped([("saved_model.pb", b""), ("assets/words.txt", b"x")]),
    )
    yield refused(
        "graph_bomb.zip",
        "unpack a graph to 32 MB",
        "'saved_model.pb' in the SavedModel would unpack",
        zipped([("saved_model.pb", bytes(32 * 2**20))]),
    )
    yield refused(
        "not_zip.keras",
        "be a pickle under a model's name",
        "is not a Keras model",
        b"\x80\x04\x95pickled",
    )
