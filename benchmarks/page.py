"""Times one page's script: ``python -m benchmarks.page PAGE STUDY`` prints a line of JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import psutil
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[1]
_RUNS = 20


def main(page: str, study_id: str) -> None:
    """Print median and p95 in ms, the process's memory in MB, and whether it has TensorFlow."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["study"] = study_id
    app.run()
    app.switch_page(f"pages/study/{page}.py").run()
    assert not app.exception, app.exception
    times = []
    for _ in range(_RUNS):
        started = time.perf_counter()
        app.run()
        times.append(1000 * (time.perf_counter() - started))
    found = {
        "median_ms": float(np.median(times)),
        "p95_ms": float(np.percentile(times, 95)),
        "memory_mb": psutil.Process().memory_info().rss / 1e6,
        "tensorflow": "tensorflow" in sys.modules,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
