"""``make bench``: measures the workbench itself, prints it, and keeps it in ``docs/benchmarks.md``.

Absolute times depend on the machine; ratios are between two things measured in one run. Parts
can be named: ``make bench ARGS="sweep pages"``. Without names all run, at the end every recipe on
every model (:mod:`benchmarks.matrix`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from benchmarks import matrix
from benchmarks.findings import keep_part
from benchmarks.load import load
from benchmarks.pages import pages
from benchmarks.searching import searching
from benchmarks.soak import soak
from benchmarks.stages import alone, batches, overhead
from benchmarks.sweep import growth, sweep
from benchmarks.workbench import workbench

PARTS: dict[str, tuple[str, tuple[Callable[[], None], ...]]] = {
    "workbench": ("The workbench", (workbench,)),
    "sweep": ("A sweep against a plain script", (sweep,)),
    "growth": ("How a sweep grows", (growth,)),
    "search": ("A search against the full grid", (searching,)),
    "stages": ("Single stages", (overhead, alone, batches)),
    "pages": ("Pages", (pages,)),
    "load": ("Load", (load,)),
    "soak": ("A day of work", (soak,)),
}
"""Name → title in the docs, and what is measured."""


def main() -> int:
    """Run the parts that were named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    known = [*PARTS, "matrix"]
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(known)}")
    chosen = parser.parse_args().parts or known
    unknown = set(chosen) - set(known)
    if unknown:
        parser.error(f"there is no part {sorted(unknown)[0]!r}; there are {', '.join(known)}")
    for name in (name for name in PARTS if name in chosen):
        title, measurements = PARTS[name]
        print(f"\n{title}", flush=True)
        started = time.monotonic()
        for measure in measurements:
            measure()
        keep_part(title, time.monotonic() - started)
    return matrix.main([]) if "matrix" in chosen else 0


if __name__ == "__main__":
    raise SystemExit(main())
