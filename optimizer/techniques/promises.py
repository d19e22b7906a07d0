"""What a recipe promised for each layer, carried from stage to stage to the audit.

A technique's stage writes ``promises.json`` beside its model; the conversion reads the file
that ships against it. The content: layer name → what holds for its kernels:

- ``sparsity``: share of zeros, at least; ``slack``: by how much the structure may miss it
- ``n_m``: [n, m], at most n of m consecutive input channels are not zero
- ``block``: [input channels, output channels] of the blocks that are zero together
- ``distinct``: number of distinct weights, at most, in the tensor or in each output channel
- ``channels``: output channels, at most

and under ``""`` what holds for the model: ``sparsity`` over the layers named in ``layers``,
``macs``: multiply-accumulates of one inference, at most.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from optimizer.stage import Files

PROMISES_FILE = "promises.json"
WHOLE_MODEL = ""
Promises = dict[str, dict[str, Any]]


def read_promises(files: Files) -> Promises:
    """The promises that came with a model; none with one that nothing was done to."""
    return json.loads(files[PROMISES_FILE]) if PROMISES_FILE in files else {}


def write_promises(earlier: Promises, added: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The content of ``promises.json``: earlier promises and those of one more stage."""
    names = sorted({*earlier, *added})
    merged = {name: {**earlier.get(name, {}), **added.get(name, {})} for name in names}
    return json.dumps(merged, sort_keys=True).encode()
