"""How large an uploaded model may be, in every way it can be large."""

UPLOAD_BYTES = 600 * 2**20
"""The file itself: a ResNet50 with its optimizer's state is 270 MB."""

EXPANDED_BYTES = 800 * 2**20
"""All members of a ``.keras`` archive together, once uncompressed."""

ARCHIVE_MEMBERS = 2_000
DIRECTORY_BYTES = 2**20
"""Files in a zip archive, and bytes of its directory: a SavedModel has a file for each shard."""

COMPRESSION_RATIO = 200
"""How many times larger a member may become; real weights compress a few times at most."""

WEIGHTS_BYTES = 800 * 2**20
"""All tensors of an HDF5 file together, as declared."""

CONFIG_BYTES = 20 * 2**20
CONFIG_DEPTH = 60
CONFIG_NODES = 500_000
NUMBER = 2**31
"""Largest whole number in a configuration, in absolute value."""

GRAPH_BYTES = 200 * 2**20
"""``saved_model.pb``, with the constants in it."""
GRAPH_NODES = 500_000
"""Operations in a SavedModel's graph, with those of all its functions."""
