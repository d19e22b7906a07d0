"""The terms of the field that a report may use, each in a sentence."""

from __future__ import annotations

_TERMS: dict[str, tuple[tuple[str, ...], str]] = {
    "Baseline": (
        ("baseline",),
        "The original model converted to TensorFlow Lite with nothing else done to it. All "
        "comparisons are with it.",
    ),
    "Variant": (("variant",), "The model after one particular treatment: one file."),
    "TensorFlow Lite, .tflite": (
        ("tensorflow lite", ".tflite"),
        "A file format, and software, for running models on phones and other small devices.",
    ),
    "gzip, compressed download": (
        ("gzip", "download"),
        "The file as it travels over a network, compressed. Repeated values compress well.",
    ),
    "Pruning, zeros, sparsity": (
        ("prune", "zeros", "sparsity"),
        "Setting the weights that matter least to zero, while training the others to make up for "
        "it.",
    ),
    "Channels": (
        ("channels",),
        "Groups of weights that can be cut out as a whole, which makes the model itself narrower "
        "and its arithmetic less.",
    ),
    "Clustering": (
        ("cluster",),
        "Letting all weights of a layer share a few distinct values, which compress well.",
    ),
    "Quantization, int8, float16": (
        ("int8", "float16", "dynamic range", "int16"),
        "Storing numbers with fewer bits: 8-bit integers or 16-bit numbers instead of 32-bit ones. "
        "Rounding can cost accuracy.",
    ),
    "QAT, quantization-aware training": (
        ("qat", "quantization-aware"),
        "Training the model while its numbers are rounded as they will be on the device, so that "
        "it learns to live with it.",
    ),
    "Accuracy": (("accuracy",), "The share of test samples that the model gets right."),
    "Test samples": (
        ("test samples", "held-out"),
        "Data kept apart: the model never trained on them.",
    ),
    "95 % interval": (
        ("95 % interval",),
        "Were the measurement repeated with other test samples of the same kind, 95 of 100 such "
        "intervals would contain the true value.",
    ),
    "Latency, p50, p90, p99": (
        ("latency", "p50"),
        "The time of one prediction. p50 is the median; 90 and 99 of 100 predictions are faster "
        "than p90 and p99.",
    ),
    "MACs, multiply-accumulates": (
        ("macs", "multiply-accumulate"),
        "One multiplication and one addition, of which a model consists almost entirely.",
    ),
    "Pareto front": (
        ("pareto",),
        "The variants that no other beats in both measures of a chart. Whoever weighs the two "
        "measures chooses among these.",
    ),
    "Agreement": (
        ("agreement",),
        "How often a variant predicts the same as the baseline, right or wrong.",
    ),
}


def glossary(text: str) -> list[tuple[str, str]]:
    """The terms that occur in a text, with what they mean."""
    lowered = text.lower()
    return [
        (term, meaning)
        for term, (words, meaning) in _TERMS.items()
        if any(word in lowered for word in words)
    ]
