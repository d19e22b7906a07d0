"""Times one page's script: ``python -m benchmarks.page PAGE STUDY``."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import psutil
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[1]
_RUNS = 40


def main(page: str, study_id: str) -> None:
    """Print median and p95 of the runs in ms, the process's MB, and whether it has TensorFlow."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["study"] = study_id
    app.run()
    app.switch_page(f"pages/study/{page}.py").run()
    assert not app.exception, app.exception
    times = []
    for _ in range(_RUNS):
        started = time.perf_counter()
        app.run()
        times.append(time.perf_counter() - started)
    memory = psutil.Process().memory_info().rss / 1e6
    median, p95 = 1000 * statistics.median(times), 1000 * statistics.quantiles(times, n=20)[-1]
    print(f"{median:.0f} {p95:.0f} {memory:.0f} {'tensorflow' in sys.modules}")


if __name__ == "__main__":
    main(*sys.argv[1:])
