"""Quantization-aware training that keeps what came before. Runs in stage processes only.

Alone it is QAT; after pruning PQAT, after clustering CQAT, after both PCQAT.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from tensorflow_model_optimization.python.core.quantization.keras.quantize_wrapper import (
    QuantizeWrapperV2,
)

from optimizer.data.arrays import Arrays, load_arrays
from optimizer.models.flat import load_flat, save_flat
from optimizer.stage import Files, Progress
from optimizer.techniques.batches import batches
from optimizer.techniques.eligible import quantizable
from optimizer.techniques.graph import rebuild, unwrapped
from optimizer.techniques.held import Projection, held
from optimizer.techniques.kernels import kernels_of
from optimizer.techniques.preserving import Pattern
from optimizer.techniques.promises import read_promises, write_promises
from optimizer.techniques.qat_graph import (
    WEIGHTS,
    covered,
    prepare,
    quantized_twin,
    weights_by_name,
)
from optimizer.techniques.training import Objective, fit, make_deterministic

CALIBRATION_BATCH = 256
"""Training samples whose activations set the ranges that training then refines."""


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Train a model with fake-quantized weights and activations.

    Args:
        params: ``fine_tune``, ``layers``, ``granularity`` (of ``quantize``) and ``seed`` as in
            a recipe, ``task``, and what to preserve: ``keep_zeros`` and
            ``number_of_clusters`` (``None`` when not clustered).
        inputs: ``model`` with ``model.keras``, ``data`` with ``arrays.npz``.
        progress: told after each batch.

    Returns:
        ``model.keras``: the prepared float model with the trained weights; ``ranges.npz``: all
        weights of its fake-quantized twin, and ``quantized.json`` how it was made, both for
        :func:`restore`; ``promises.json``; ``training.json`` with the layers left in float and
        the reasons.

    Raises:
        StageError: training diverged.
    """
    make_deterministic(params["seed"])
    model = load_flat(inputs["model"]["model.keras"])
    arrays = load_arrays(inputs["data"])
    prepared = prepare(model)
    skipped = [name for name, override in params["layers"].items() if override["quantize"] is False]
    options = {"skipped": skipped, "per_channel": params["granularity"] == "per_channel"}
    chosen = covered(prepared, skipped)
    patterns = kept_patterns(prepared, params, chosen)
    twin = quantized_twin(prepared, patterns, **options)
    calibrate(prepared, twin, arrays)
    losses = fit(
        held(twin, float_patterns(twin, params, patterns)),
        Objective.of(model, arrays, params["task"], params.get("loss")),
        params["fine_tune"],
        progress,
    )
    settle(prepared, twin, patterns)
    kernels = {layer.name for layer in prepared.layers if type(layer) in WEIGHTS}
    left_out = {name: why for name, why in quantizable(prepared).items() if why is not None}
    left_out |= dict.fromkeys(skipped, "The recipe leaves it out.")
    buffer = io.BytesIO()
    np.savez(buffer, **{f"w{index}": value for index, value in enumerate(twin.get_weights())})
    return {
        "model.keras": save_flat(prepared),
        "ranges.npz": buffer.getvalue(),
        "quantized.json": json.dumps(options).encode(),
        "promises.json": write_promises(
            read_promises(inputs["model"]),
            {name: {"dtype": "int8"} for name in chosen & kernels},
        ),
        "training.json": json.dumps({"loss": losses, "left_out": left_out}).encode(),
    }


def restore(files: Files) -> Any:
    """The fake-quantized model that :func:`stage` trained, ready to convert."""
    options = json.loads(files["quantized.json"])
    twin = quantized_twin(load_flat(files["model.keras"]), {}, **options)
    with np.load(io.BytesIO(files["ranges.npz"]), allow_pickle=False) as weights:
        twin.set_weights([weights[f"w{index}"] for index in range(len(weights.files))])
    return twin


def kept_patterns(
    model: Any, params: Mapping[str, Any], chosen: Collection[str]
) -> dict[str, dict[str, Pattern]]:
    """What the quantizers of covered layers preserve: layer → weight attribute → pattern."""
    patterns: dict[str, dict[str, Pattern]] = {}
    for layer in model.layers:
        for attribute in WEIGHTS.get(type(layer), ()) if layer.name in chosen else ():
            pattern = _pattern(layer.name, getattr(layer, attribute).numpy(), params)
            if pattern is not None:
                patterns.setdefault(layer.name, {})[attribute] = pattern
    return patterns


def float_patterns(
    twin: Any, params: Mapping[str, Any], patterns: Mapping[str, Any]
) -> list[Projection]:
    """What layers that stay in float preserve while everything trains."""
    projections: list[Projection] = []
    for layer in twin.layers:
        if isinstance(layer, QuantizeWrapperV2) and layer.layer.name in patterns:
            continue
        for kernel in kernels_of(unwrapped(layer)):
            pattern = _pattern(kernel.layer, kernel.numpy(), params)
            if pattern is not None:
                projections.append((kernel.variable, pattern.apply))
    return projections


def _pattern(name: str, kernel: np.ndarray, params: Mapping[str, Any]) -> Pattern | None:
    clusters = params["number_of_clusters"]
    override = params["layers"].get(name, {}).get("number_of_clusters")
    clustered = clusters is not None and _is_clustered(kernel, override or clusters)
    if not clustered and not params["keep_zeros"]:
        return None
    return Pattern(kernel, keep_zeros=params["keep_zeros"], keep_clusters=clustered)


def _is_clustered(kernel: np.ndarray, number_of_clusters: int) -> bool:
    """Whether each output channel has few enough values: folding scales channels apart."""
    channels = kernel.reshape(-1, kernel.shape[-1])
    return all(len(np.unique(channel)) <= number_of_clusters + 1 for channel in channels.T)


def calibrate(prepared: Any, twin: Any, arrays: Arrays) -> None:
    """Start the activation ranges from real activations.

    tfmot starts every range at [-6, 6] and moves it by 0.1 % a step, which a short fine-tuning
    never leaves behind.
    """
    rng = np.random.default_rng(0)
    n = arrays.samples("train")
    chosen = np.sort(rng.choice(n, min(CALIBRATION_BATCH, n), replace=False))
    samples = [x[chosen] for x in arrays.inputs_for(prepared.input_names, "train")]
    wrappers = {unwrapped(layer).name: layer for layer in twin.layers}
    before = {
        layer.name: layer.__class__.from_config({**layer.get_config(), "activation": "linear"})
        for layer in prepared.layers
        if "pre_activation_min" in weights_by_name(wrappers[layer.name])
    }
    linear = rebuild(prepared, (), before)
    for name, layer in before.items():
        layer.set_weights(prepared.get_layer(name).get_weights())
    _set_ranges(wrappers, _ranges(prepared, samples), ("post_activation", "output"))
    _set_ranges(wrappers, _ranges(linear, samples, only=before), ("pre_activation",))


def _ranges(
    model: Any, samples: Sequence[np.ndarray], only: Collection[str] | None = None
) -> dict[str, tuple[float, float]]:
    """Layer name → lowest and highest output over some samples; zero is always inside."""
    names = [layer.name for layer in model.layers if only is None or layer.name in only]
    if not names:
        return {}
    outputs = [model.get_layer(name).output for name in names]
    data, steps = batches(samples, None, 64)
    values = keras.Model(model.inputs, outputs).predict(data, steps=steps, verbose=0)
    values = values if isinstance(values, list) else [values]
    return {
        name: (float(min(value.min(), 0.0)), float(max(value.max(), 1e-3)))
        for name, value in zip(names, values, strict=True)
    }


def _set_ranges(
    wrappers: Mapping[str, Any],
    ranges: Mapping[str, tuple[float, float]],
    kinds: tuple[str, ...],
) -> None:
    for name, (low, high) in ranges.items():
        variables = weights_by_name(wrappers[name])
        for kind in kinds:
            if f"{kind}_min" in variables:
                variables[f"{kind}_min"].assign(low)
                variables[f"{kind}_max"].assign(high)


def settle(prepared: Any, twin: Any, patterns: Mapping[str, Mapping[str, Pattern]]) -> None:
    """Write the preserved values into the twin's kernels, and its weights into the model."""
    trained = {unwrapped(layer).name: weights_by_name(layer) for layer in twin.layers}
    for name, attributes in patterns.items():
        for attribute, pattern in attributes.items():
            kernel = trained[name][attribute]
            kernel.assign(pattern.apply(tf.convert_to_tensor(kernel)))
    inside = {unwrapped(layer).name: layer for layer in twin.layers}
    for layer in prepared.layers:
        if isinstance(inside[layer.name], QuantizeWrapperV2):
            for name, weight in weights_by_name(layer).items():
                weight.assign(trained[layer.name][name])
        else:
            layer.set_weights(inside[layer.name].get_weights())
