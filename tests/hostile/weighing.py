"""``python -m tests.hostile.weighing FOLDER``: how much memory looking at a corpus takes.

What the app's own process does with an upload, plus what a stage does with HDF5 and images; tables
are read in processes of their own, whose largest is told too.
"""

import json
import resource
import sys
from pathlib import Path

from optimizer.data.formats import inspect_upload as inspect_data
from optimizer.data.images import read_images
from optimizer.data.options import DataOptions
from optimizer.errors import InputError
from optimizer.grid import Grid
from optimizer.models.inspect import identify, inspect_upload
from optimizer.recipe import Recipe

ADDRESS_SPACE = 12 * 2**30
"""More than a table's reader may have; a bomb of 200 GB ends here whatever else holds."""


def look(path, kind):
    data = path.read_bytes()
    if kind == "recipe":
        Recipe.parse(data)
    elif kind == "grid":
        Grid.parse(data).expand()
    elif kind == "dataset":
        summary = inspect_data(data, path.name)
        if summary.format == "images":
            read_images(data, DataOptions(sample_shape=(8, 8, 1)))
    elif identify(data, path.name).kind == "keras":
        inspect_upload(data, path.name)


def peak(who):
    return resource.getrusage(who).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main():
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    folder = Path(sys.argv[1])
    kinds = json.loads((folder / "kinds").read_text())
    before, refused = peak(resource.RUSAGE_SELF), 0
    for name, kind in kinds.items():
        try:
            look(folder / name, kind)
        except InputError:
            refused += 1
    grown = peak(resource.RUSAGE_SELF) - before
    reader = peak(resource.RUSAGE_CHILDREN)
    json.dump({"refused": refused, "grown_bytes": grown, "reader_bytes": reader}, sys.stdout)


if __name__ == "__main__":
    main()
