"""Synthetic studies: figures as functions of a recipe, with no engine and no training."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

from optimizer.grid import Grid
from optimizer.plan import StudyObjective, StudyPlan, import_model, prepare_data
from optimizer.search.goal import Constraints, Figures, Goal
from optimizer.search.sampler import Costs, Sampler
from optimizer.search.space import build_space, training_stages
from optimizer.store.records import Trial

GRID = {
    "prune": [
        None,
        {"schedule": {"kind": "polynomial", "final_sparsity": [0.3, 0.5, 0.6, 0.7, 0.8, 0.9]}},
    ],
    "cluster": [None, {"number_of_clusters": [8, 16, 32, 64]}],
    "quantize": [
        {"mode": "none"},
        {"mode": "float16"},
        {"mode": "dynamic"},
        {"mode": "int8"},
        {"mode": "int8", "aware": True},
    ],
}
PLAN = StudyPlan(
    import_model("a" * 64, "m.keras"),
    prepare_data("b" * 64, "d.npz", 0.2, 0),
    StudyObjective("multiclass"),
    threads=1,
)
BASELINE = Figures(200_000, 220_000, 0.97, 1.0)
SECONDS = {"prune": 5.0, "cluster": 6.0, "quantize_aware": 12.0, "": 2.0}


def space(grid=None, objections=lambda recipe: [], **options):
    return build_space(Grid.parse(grid or GRID), objections, training_stages(PLAN), **options)


def goal(objective="download", **constraints):
    limits = constraints or {"max_accuracy_drop": 0.01}
    return Goal(objective, Constraints(**limits), "accuracy", True, BASELINE)


def figures(recipe, seed=0, noise=0.004):
    """Smaller and worse with sparsity, fewer clusters and fewer bits, as models are."""
    sparsity = recipe.prune.schedule.final if recipe.prune else 0.0
    clusters = recipe.cluster.number_of_clusters if recipe.cluster else 1000
    mode, aware = recipe.quantize.mode, recipe.quantize.aware
    bits = {"none": 1.0, "float16": 0.6, "dynamic": 0.3, "int8": 0.29}[mode]
    size = 200_000 * (1 - 0.85 * sparsity) * min(1.0, 0.1 + math.log2(clusters) / 11) * bits**0.5
    lost = 0.4 * max(0.0, sparsity - 0.55) ** 2 + 0.12 / clusters - 0.004 * aware
    lost += 0.004 * (mode in ("dynamic", "int8"))
    digest = hashlib.sha256(f"{seed}:{recipe.hash}".encode()).digest()
    wobble = noise * (digest[0] / 127.5 - 1)
    file_size = {"none": 220_000, "float16": 112_000}.get(mode, 60_000)
    return Figures(round(size), file_size, round(0.97 - lost + wobble, 4), 0.5 + bits / 2)


def trial(number, candidate, found, aim, origin="sampled"):
    """A trial that ran to its end."""
    begun = Trial("run", number, f"v{number}", dict(candidate.choices), candidate.recipe, origin)
    return replace(begun, state="complete", figures=found.dump(), violations=aim.violations(found))


class Simulation:
    """A search on figures that are known, one trial at a time."""

    def __init__(self, whole, aim, seed=0, data_seed=0):
        self.space, self.goal, self.data_seed = whole, aim, data_seed
        self.sampler = Sampler(whole, aim, seed)
        self.stored, self.trials = set(), []

    @property
    def training_seconds(self):
        names = {key: name for c in self.space.candidates for name, key in c.training}
        return sum(SECONDS[names[key]] for key in self.stored)

    @property
    def full_training_seconds(self):
        names = {key: name for c in self.space.candidates for name, key in c.training}
        return sum(SECONDS[name] for name in names.values())

    def step(self):
        """One more trial; ``None`` when all were tried."""
        suggestion = self.sampler.next(self.trials, Costs(self.stored.__contains__, SECONDS))
        if suggestion is None:
            return None
        self.stored |= {key for _, key in suggestion.candidate.training}
        found = figures(suggestion.candidate.recipe, self.data_seed)
        candidate = suggestion.candidate
        self.trials.append(trial(len(self.trials), candidate, found, self.goal, suggestion.origin))
        return suggestion

    def run(self, count):
        for _ in range(count):
            if self.step() is None:
                break
        return self.trials
