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
    "Fine-tuning, epoch": (
        ("fine-tuning", "epoch"),
        "Training the finished model a little more, so that it gets used to a change. An epoch is "
        "one pass over the training data.",
    ),
    "Activations": (
        ("activations",),
        "The intermediate results that pass from layer to layer while a model predicts.",
    ),
    "float32": (
        ("float32",),
        "The ordinary 32-bit numbers that models are trained with.",
    ),
    "XNNPACK": (
        ("xnnpack",),
        "The part of TensorFlow Lite that computes on a main processor, as it does in apps.",
    ),
    "Accuracy": (
        ("accuracy",),
        "The share of test samples that the model gets right.",
    ),
    "Test samples": (
        ("test samples", "held-out"),
        "Data kept apart: nothing that was done here was trained on them.",
    ),
    "Mean absolute error": (
        ("mean absolute error",),
        "How far predictions are from the truth on average, in the unit of what is predicted. Less "
        "is better.",
    ),
    "Mean squared error": (
        ("mean squared error",),
        "The average of the squared distances between prediction and truth. Less is better.",
    ),
    "R²": (
        ("r²",),
        "The share of the variation in what is to be predicted that the model explains: 1 is "
        "perfect, 0 is no better than always saying the average.",
    ),
    "AUC": (
        (" auc",),
        "How well the model ranks cases of one class above those of the other: 1 is perfect, 0.5 "
        "is guessing.",
    ),
    "F1": (
        ("f1",),
        "One figure for false alarms and misses together: 1 is perfect, 0 is useless.",
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
