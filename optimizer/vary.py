"""The settings of a recipe that a sweep can vary, as a person reads and writes their values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.errors import InputError
from optimizer.schedules import steps_from_text

NO_PRUNING, NO_CLUSTERING, AUTOMATIC = "No pruning", "No clustering", "Automatic"


@dataclass(frozen=True)
class Setting:
    """One setting, of which a sweep tries several values.

    Attributes:
        label: what the screen calls it, with its unit.
        help: meaning, usual range and cost.
        options: values that are offered.
        start: those that are chosen at first.
        read: a value's text → what stands in a recipe; raises :class:`InputError`.
        typed: whether other values can be typed in.
        needs: what the recipe must have for the setting to act.
    """

    label: str
    help: str
    options: tuple[str, ...]
    start: tuple[str, ...]
    read: Callable[[str], Any]
    typed: bool = False
    needs: str = ""


def _number(what: str, low: float, high: float, *, whole: bool = False) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            value = float(text.strip())
        except ValueError:
            value = math.nan
        if not low <= value <= high or (whole and value != int(value)):
            kind = "a whole number" if whole else "a number"
            raise InputError(f"{what}: write {kind} from {low:g} to {high:g}; received {text!r}.")
        return int(value) if whole else value

    return read


def _percent(what: str, low: float, high: float) -> Callable[[str], float]:
    number = _number(f"{what} in percent", low, high)
    return lambda text: round(number(text.replace("%", "")) / 100, 10)


def _or(word: str, read: Callable[[str], Any]) -> Callable[[str], Any]:
    """A reader for which one word means none."""
    return lambda text: None if text.strip().lower() == word.lower() else read(text)


def _one_of(names: Mapping[str, Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if text not in names:
            raise InputError(f"{text!r} is none of {', '.join(names)}.")
        return names[text]

    return read


def _choices(
    label: str, names: Mapping[str, Any], help: str, needs: str = "", *, start: int | None = None
) -> Setting:
    options = tuple(names)
    return Setting(label, help, options, options[:start], _one_of(names), needs=needs)


_YES_NO = {"No": False, "Yes": True}
_STRUCTURES = {
    "Single weights": {"kind": "unstructured"},
    "Channels": {"kind": "channels"},
}


def read_structure(text: str) -> dict[str, Any]:
    """A structure from a name, ``4 × 1`` for blocks, ``2:4`` for patterns.

    Raises:
        InputError: it is none of these.
    """
    if text in _STRUCTURES:
        return dict(_STRUCTURES[text])
    if found := re.fullmatch(r"(?:blocks?\s*)?(\d{1,4})\s*[x×*]\s*(\d{1,4})", text.strip(), re.I):
        return {"kind": "block", "size": [int(found[1]), int(found[2])]}
    if found := re.fullmatch(r"(\d{1,2})\s*:\s*(\d{1,2})", text.strip()):
        return {"kind": "n_m", "n": int(found[1]), "m": int(found[2])}
    raise InputError(
        "Write a structure as 4 × 1 (blocks of input × output channels) or 2:4 (n of every m "
        f"weights are left), or choose one of {', '.join(_STRUCTURES)}; received {text!r}."
    )


def read_schedule(text: str) -> dict[str, Any]:
    """A schedule's kind, or the steps of one: ``0 → 40, 50 → 80``.

    Raises:
        InputError: it is neither.
    """
    if text.lower() in ("constant", "polynomial"):
        return {"kind": text.lower()}
    return {"kind": "steps", "steps": steps_from_text(text)}


_QUANTIZATIONS = {
    "None (float32)": ("none", False),
    "float16": ("float16", False),
    "Dynamic range": ("dynamic", False),
    "int8": ("int8", False),
    "int8, quantization-aware training": ("int8", True),
    "int16×8": ("int16x8", False),
}
_PRUNES = "pruning: choose a sparsity schedule in the base recipe, or vary the sparsity too"
_POLYNOMIAL = "a polynomial sparsity schedule: choose it in the base recipe, or vary the schedule"
_CLUSTERS = "clustering: switch it on in the base recipe, or vary the number of clusters too"
_INT8 = "int8: choose it in the base recipe, or vary the quantization too"

SETTINGS: dict[str, Setting] = {
    "sparsity": Setting(
        "Sparsity (%)",
        "Share of the weights that become zero; with channels, of the multiply-accumulates that "
        "are removed. 50 to 80 is usual. Each value is a training of its own. Other numbers can "
        "be typed in.",
        (NO_PRUNING, "25", "50", "60", "70", "80", "90", "95"),
        (NO_PRUNING, "50", "80"),
        _or(NO_PRUNING, _percent("The sparsity", 1, 99)),
        typed=True,
        needs="a schedule or structure that has no sparsity of its own, as steps and n:m "
        "patterns have",
    ),
    "structure": Setting(
        "Structure",
        "Which weights go together: single ones, blocks of input × output channels, n of every m "
        "(type 1:4, say), or whole channels, which makes the model faster everywhere. Patterns "
        "have a sparsity of their own.",
        ("Single weights", "4 × 1", "1 × 4", "2:4", "Channels"),
        ("Single weights", "4 × 1"),
        read_structure,
        typed=True,
        needs=_PRUNES,
    ),
    "schedule": Setting(
        "Sparsity schedule",
        "How pruning proceeds during the training. Constant: all at once; polynomial: little by "
        "little; or type steps in percent, such as 0 → 40, 50 → 80.",
        ("Polynomial", "Constant", "0 → 40, 25 → 60, 50 → 80"),
        ("Polynomial", "Constant"),
        read_schedule,
        typed=True,
        needs=_PRUNES,
    ),
    "initial_sparsity": Setting(
        "Schedule starts at (%)",
        "What a polynomial schedule removes at its beginning. 0 is gentle.",
        ("0", "25", "50"),
        ("0", "50"),
        _percent("The sparsity to start at", 0, 99),
        typed=True,
        needs=_POLYNOMIAL,
    ),
    "power": Setting(
        "Power of the schedule",
        "How a polynomial schedule bends. 1 is a line; 3, the usual choice, removes much early.",
        ("1", "2", "3", "5"),
        ("1", "3"),
        _number("The power", 0.1, 10),
        typed=True,
        needs=_POLYNOMIAL,
    ),
    "begin": Setting(
        "Schedule begins (% of fine-tuning)",
        "When pruning begins. Earlier leaves more steps to recover.",
        ("0", "10", "25", "50"),
        ("0", "25"),
        _percent("The beginning", 0, 99),
        typed=True,
        needs="a constant or polynomial sparsity schedule",
    ),
    "end": Setting(
        "Schedule ends (% of fine-tuning)",
        "When a polynomial schedule reaches its sparsity; the rest of the training recovers.",
        ("50", "75", "90"),
        ("50", "75"),
        _percent("The end", 1, 100),
        typed=True,
        needs=_POLYNOMIAL,
    ),
    "frequency": Setting(
        "Training steps between mask updates",
        "How often it is decided anew which weights go. Automatic makes at least 20 updates.",
        (AUTOMATIC, "10", "50", "100"),
        (AUTOMATIC, "100"),
        _or(AUTOMATIC, _number("The steps between mask updates", 1, 100_000, whole=True)),
        typed=True,
        needs=_PRUNES,
    ),
    "criterion": _choices(
        "Criterion",
        {"Magnitude": "magnitude", "Gradient (Taylor)": "gradient", "Random": "random"},
        "What makes a weight matter: its size, weight × gradient, or nothing, as a control.",
        _PRUNES,
        start=2,
    ),
    "scope": _choices(
        "Scope",
        {"Within each layer": "layer", "Over all layers": "global"},
        "Whether weights compete within their layer or over all layers. Not for n:m patterns.",
        _PRUNES,
    ),
    "gentle_ends": _choices(
        "Gentler on the first and last layer",
        _YES_NO,
        "Yes halves the sparsity of these two, the most sensitive. Not for n:m patterns.",
        _PRUNES,
    ),
    "multiple_of": Setting(
        "Channels left: multiple of",
        "Processors compute 4, 8 or 16 channels at once; 1 removes exactly what is asked.",
        ("1", "4", "8", "16"),
        ("1", "8"),
        _number("The multiple", 1, 64, whole=True),
        typed=True,
        needs="the structure Channels",
    ),
    "number_of_clusters": Setting(
        "Number of clusters",
        "Distinct values per layer. 16 to 64 is usual; fewer compress better and cost accuracy. "
        "Each value is a training of its own. Other numbers can be typed in.",
        (NO_CLUSTERING, "4", "8", "16", "32", "64", "128"),
        (NO_CLUSTERING, "16"),
        _or(NO_CLUSTERING, _number("The number of clusters", 2, 1024, whole=True)),
        typed=True,
    ),
    "cluster_centroids_init": _choices(
        "Centroid initialization",
        {
            "k-means++": "kmeans++",
            "Linear": "linear",
            "Density-based": "density",
            "Random": "random",
        },
        "Where the centroids start. k-means++ is a sound default; linear keeps extreme weights.",
        _CLUSTERS,
        start=2,
    ),
    "per_channel": _choices(
        "Clusters of its own for each output channel",
        _YES_NO,
        "Yes gives each output channel of a convolution centroids of its own: more exact.",
        _CLUSTERS,
    ),
    "quantization": _choices(
        "Quantization",
        _QUANTIZATIONS,
        "How numbers are stored and computed. All but quantization-aware training take seconds.",
        start=5,
    ),
    "io": _choices(
        "Inputs and outputs",
        {"float32": "float32", "int8": "int8", "uint8": "uint8"},
        "What goes into an int8 model and comes out of it; the other modes keep float32.",
        _INT8,
        start=2,
    ),
    "granularity": _choices(
        "Scales",
        {"Per channel": "per_channel", "Per tensor": "per_tensor"},
        "How finely int8 steps are chosen. Per channel is more exact.",
        _INT8,
    ),
    "calibration_samples": Setting(
        "Representative samples",
        "Training samples that show the converter each tensor's range. 100 to 500 is usual.",
        ("50", "100", "200", "500"),
        ("100", "500"),
        _number("The representative samples", 1, 10_000, whole=True),
        typed=True,
        needs="int8 or int16×8 without quantization-aware training",
    ),
    "sparse_encoding": _choices(
        "Leave the zeros out of the file",
        _YES_NO,
        "TFLite's sparse encoding, for pruned weights in float32 or float16.",
    ),
    "epochs": Setting(
        "Epochs",
        "Passes over the training data in each of pruning, clustering and QAT. Time grows in "
        "proportion.",
        ("1", "3", "5", "10"),
        ("1", "3"),
        _number("The epochs", 1, 1000, whole=True),
        typed=True,
    ),
    "batch_size": Setting(
        "Batch size",
        "Samples per training step. 32 to 256 is usual; smaller means more steps.",
        ("16", "32", "64", "128"),
        ("32", "64"),
        _number("The batch size", 1, 65_536, whole=True),
        typed=True,
    ),
    "learning_rate": Setting(
        "Learning rate",
        "Step size of Adam. 0.0001 to 0.001 is usual for fine-tuning.",
        ("0.0001", "0.0003", "0.001", "0.003"),
        ("0.0003", "0.001"),
        _number("The learning rate", 1e-7, 10),
        typed=True,
    ),
    "seed": Setting(
        "Seed",
        "Several seeds show how much of a difference is chance: each repeats all trainings.",
        ("0", "1", "2", "3", "4"),
        ("0", "1", "2"),
        _number("The seed", 0, 2**31 - 1, whole=True),
        typed=True,
    ),
}
"""Every setting that can vary, in the order of the recipe's form."""
