"""Lesson: what a latency is made of: warm-up, percentiles, noise, threads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from optimizer.lessons.bundled_study import bundled_result
from optimizer.lessons.experiments import count_experiments, newest_experiment, start_experiment
from optimizer.lessons.lesson import Lesson, Reference
from optimizer.measure.latency import compare_rounds, noise_floor
from optimizer.store import Store
from optimizer.store.records import Run

FILES: Mapping[str, dict[str, Any]] = {
    "float32": {},
    "int8": {"quantize": {"mode": "int8"}},
    "int16×8": {"quantize": {"mode": "int16x8"}},
}
"""What can be timed: name → recipe."""
COUNT = 2000
WARM_UP = 50
"""Invocations that are timed one by one, and how many of the first are left out at first."""

LESSON = Lesson(
    id="latency",
    title="What latency is",
    question="How long does one inference take, and which number is the answer?",
    minutes=7,
    terms={
        "latency": "is the time from an input that is in place to an output that is there.",
        "warm-up": "is what the first inferences pay once: memory, caches, a processor that wakes.",
        "percentile": "p90 is the time that 90 % of the inferences stay below; p50 is the median.",
        "noise floor": "is how far two measurements of one and the same thing lie apart.",
    },
    remember=(
        "The first inference is not like the others; whether it counts depends on what the user "
        "waits for.",
        "Times have a long tail to the right: the median is stable, the mean follows the outliers, "
        "and a p99 from one run is a guess.",
        "Compare in alternating rounds, and only believe differences beyond the noise floor; more "
        "threads on a small network can cost more than they bring.",
    ),
    references=(
        Reference(
            "TFLite: performance measurement",
            "https://www.tensorflow.org/lite/performance/measurement",
        ),
        Reference(
            "Georges et al. 2007, Statistically rigorous Java performance evaluation",
            "https://doi.org/10.1145/1297027.1297033",
        ),
        Reference(
            "Kalibera & Jones 2013, Rigorous benchmarking in reasonable time",
            "https://doi.org/10.1145/2464157.2464160",
        ),
        Reference(
            "Dean & Barroso 2013, The tail at scale",
            "https://research.google/pubs/the-tail-at-scale/",
        ),
    ),
)


def bundled_tail() -> float:
    """p99 divided by p50 of the sample study's baseline."""
    found = bundled_result().latency
    return found.p99_ms / found.p50_ms if found and found.p99_ms else float("nan")


def most_threads() -> int:
    """Threads to compare one thread with: the processor's cores, 2 to 4."""
    return max(2, min(4, os.cpu_count() or 2))


def start_trial(store: Store, file: str, threads: int) -> Run:
    """Ask the engine to time every invocation of a file of :data:`FILES`, here and now."""
    options = {
        "recipe": FILES[file],
        "count": COUNT,
        "threads": threads,
        "repeat": count_experiments(store, "invocations") + 1,
    }
    return start_experiment(store, "invocations", LESSON, options)


def newest_trial(store: Store) -> Run | None:
    """The newest run of :func:`start_trial`."""
    return newest_experiment(store, "invocations")


@dataclass(frozen=True, eq=False)
class Timing:
    """What was measured; times in microseconds.

    Attributes:
        file: a key of :data:`FILES`.
        load: building the interpreter.
        series: one by one, the first first, shape (n,).
        rounds: ``original``, ``copy`` and ``threads`` → median of each round, shape (rounds,).
        threads: of the last.
        device: the processor.
    """

    file: str
    load: float
    series: np.ndarray
    rounds: Mapping[str, np.ndarray]
    threads: int
    device: str

    @classmethod
    def of(cls, run: Run) -> Timing:
        """From a run that is done."""
        result = run.result or {}
        recipe = run.options["recipe"]
        return cls(
            next(name for name, known in FILES.items() if known == recipe),
            result["load_ns"] / 1e3,
            np.array(result["series_ns"], float) / 1e3,
            {name: np.array(values) / 1e3 for name, values in result["rounds_ns"].items()},
            int(result["threads"]),
            str(result["device"]),
        )

    def after(self, warm_up: int) -> np.ndarray:
        """The series without its first invocations."""
        return self.series[warm_up:]

    @property
    def floor(self) -> float:
        """How far the file seems to differ from its own copy; a share, 0.01 at least."""
        return noise_floor(self.rounds["copy"] / self.rounds["original"])

    def compared(self, name: str) -> dict[str, Any]:
        """``ratio``, ``ratio_ci`` and ``significant`` of the copy or of more threads."""
        return compare_rounds(self.rounds[name] / self.rounds["original"], self.floor)


@dataclass(frozen=True)
class Summary:
    """Figures of a series of times, in their unit."""

    mean: float
    p50: float
    p90: float
    p99: float
    largest: float


def summary(times: np.ndarray) -> Summary:
    """Mean, percentiles and largest of some times, shape (n,) with n ≥ 1."""
    p50, p90, p99 = np.percentile(times, [50, 90, 99]).tolist()
    return Summary(float(times.mean()), p50, p90, p99, float(times.max()))
