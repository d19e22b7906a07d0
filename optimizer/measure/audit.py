"""Did the recipe keep its promises? Read out of the ``.tflite`` that ships, not the model before.

A promise is what a person chose: a share of zeros, a pattern, a number of distinct weights,
channels that are gone, dtypes. What holds for which layer is in the ``promises.json`` that the
technique's stages wrote; see :mod:`optimizer.techniques.promises`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from optimizer.measure.patterns import most_in_groups, output_channels, share_of_zeros
from optimizer.measure.tflite_file import TfliteFile
from optimizer.measure.weights import Weight

_TOLERANCE = 1e-3
_INDICES = ("int32", "int64")
_TABLES = ("GATHER",)
"""Operators whose weights are looked up: float with dynamic range, activations with int16×8."""
_DYNAMIC_RANGE_WEIGHTS = 1024
"""TFLite leaves tensors with fewer weights in float with dynamic range quantization."""


@dataclass(frozen=True)
class Finding:
    """One promise, and what the file says.

    Attributes:
        promise: a short phrase, such as ``at least 80 % zeros in each of 4 layers``.
        kept: whether the file keeps it.
        found: what was found, such as ``80.0 % to 80.2 %``.
    """

    promise: str
    kept: bool
    found: str


def audit(
    file: TfliteFile,
    promises: Mapping[str, Mapping[str, Any]],
    quantize: Mapping[str, Any],
    *,
    sparse_encoding: bool = False,
    known_layers: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Compare a file with what its recipe promised.

    Args:
        file: what ships.
        promises: the content of ``promises.json``.
        quantize: a recipe's ``quantize``.
        sparse_encoding: whether the recipe asked for it.
        known_layers: the model's layers; weights that carry none of these names are taken for
            those of the promised layers that no weight is named after.

    Returns:
        One dict per promise: ``promise``, ``kept``, ``found``.
    """
    layers: Mapping[str, Mapping[str, Any]] = {n: each for n, each in promises.items() if n}
    known, promised = frozenset(known_layers), set(layers)
    every = _by_layer(file.weights, promised, known)
    weights = _by_layer((w for w in file.weights if w.prunable), promised, known)
    layers = _of_all(layers, weights)
    whole = promises.get("", {})
    findings = [
        *_sparsity(layers, whole, weights),
        *_patterns(layers, weights),
        *_distinct(layers, weights),
        *_channels(layers, whole, weights, file),
        *_dtypes(file, layers, every, quantize),
    ]
    if layers:
        findings.append(_not_empty(file))
    if sparse_encoding:
        findings.append(_encoded(file))
    return [asdict(finding) for finding in findings]


def _by_layer(
    kernels: Iterable[Weight], promised: set[str], known: frozenset[str]
) -> dict[str, list[Weight]]:
    """Layer name → its kernels, whatever role or number their name in the file carries.

    The converter names the weights of recurrent loops after nothing in the model.
    """
    layers: dict[str, list[Weight]] = {}
    for weight in kernels:
        layers.setdefault(layer_of(weight), []).append(weight)
    nameless = [w for name, found in layers.items() if name not in known for w in found]
    if nameless:
        layers |= {name: nameless for name in promised if name not in layers}
    return layers


def _of_all(
    layers: Mapping[str, Mapping[str, Any]], weights: Mapping[str, list[Weight]]
) -> dict[str, dict[str, Any]]:
    """The promises, and for layers whose weights cannot be told apart what all of them keep."""
    eased = {name: dict(promise) for name, promise in layers.items()}
    for kind, weakest in (("sparsity", min), ("distinct", max), ("channels", max)):
        groups: dict[int, list[str]] = {}
        for name, promise in layers.items():
            if kind in promise and name in weights:
                groups.setdefault(id(weights[name]), []).append(name)
        for names in groups.values():
            value = weakest(layers[name][kind] for name in names)
            for name in names:
                eased[name][kind] = value
    return eased


def layer_of(weight: Weight) -> str:
    """The layer's name alone, without a recurrent cell's role or a number."""
    return re.sub(r"( #\d+)?( \([a-z ]+\))?( #\d+)?$", "", weight.name)


def _sparsity(
    layers: Mapping[str, Mapping[str, Any]],
    whole: Mapping[str, Any],
    weights: Mapping[str, list[Weight]],
) -> Iterator[Finding]:
    wanted = {name: promise for name, promise in layers.items() if "sparsity" in promise}
    found = {
        name: share_of_zeros(weights.get(name, []), promise.get("block"))
        for name, promise in wanted.items()
    }
    if wanted:
        broken = [
            name
            for name, promise in wanted.items()
            if found[name] is None
            or found[name] < promise["sparsity"] - max(_TOLERANCE, promise.get("slack", 0.0))
        ]
        shares = sorted({promise["sparsity"] for promise in wanted.values()})
        yield _over_layers(f"at least {_span(shares)} zeros", wanted, broken, found)
    if "sparsity" in whole:
        together = [weight for name in whole["layers"] for weight in weights.get(name, [])]
        share = share_of_zeros(together, None)
        yield Finding(
            f"at least {_percent(whole['sparsity'])} zeros over {len(whole['layers'])} layers",
            share is not None and share >= whole["sparsity"] - 0.01,
            _percent(share),
        )


def _wanted(layers: Mapping[str, Mapping[str, Any]], kind: str) -> dict[str, Any]:
    """Layer name → what one kind of promise says, for the layers that have it."""
    return {name: promise[kind] for name, promise in layers.items() if kind in promise}


def _patterns(
    layers: Mapping[str, Mapping[str, Any]], weights: Mapping[str, list[Weight]]
) -> Iterator[Finding]:
    wanted = _wanted(layers, "n_m")
    if not wanted:
        return
    n, m = next(iter(wanted.values()))
    broken = [
        name
        for name in wanted
        if name not in weights or any(most_in_groups(w, m) > n for w in weights[name])
    ]
    yield _over_layers(f"at most {n} of {m} consecutive weights not zero", wanted, broken)


def _distinct(
    layers: Mapping[str, Mapping[str, Any]], weights: Mapping[str, list[Weight]]
) -> Iterator[Finding]:
    """Distinct values, of a channel where folding or scales have set channels apart."""
    wanted = {
        name: promise["distinct"] for name, promise in layers.items() if "distinct" in promise
    }
    if not wanted:
        return
    found = {
        name: max((min(w.distinct, w.distinct_per_channel) for w in weights[name]), default=None)
        for name in wanted
        if name in weights
    }
    broken = [
        name for name, count in wanted.items() if found.get(name) is None or found[name] > count
    ]
    counts = "/".join(map(str, sorted(set(wanted.values()))))
    yield _over_layers(f"at most {counts} distinct weights", wanted, broken, found, str)


def _channels(
    layers: Mapping[str, Mapping[str, Any]],
    whole: Mapping[str, Any],
    weights: Mapping[str, list[Weight]],
    file: TfliteFile,
) -> Iterator[Finding]:
    wanted = {
        name: promise["channels"] for name, promise in layers.items() if "channels" in promise
    }
    if wanted:
        broken = [
            name
            for name, count in wanted.items()
            if name not in weights or any(output_channels(w) > count for w in weights[name])
        ]
        yield _over_layers("channels removed", wanted, broken)
    if "macs" in whole:
        yield Finding(
            f"at most {whole['macs']:,} multiply-accumulates",
            file.macs <= whole["macs"] * (1 + _TOLERANCE),
            f"{file.macs:,}",
        )


def _dtypes(
    file: TfliteFile,
    layers: Mapping[str, Mapping[str, Any]],
    weights: Mapping[str, list[Weight]],
    quantize: Mapping[str, Any],
) -> Iterator[Finding]:
    mode = quantize["mode"]
    if mode == "none":
        return
    if quantize["aware"]:
        wanted = [name for name, promise in layers.items() if promise.get("dtype")]
        broken = [
            name
            for name in wanted
            if name not in weights or any(w.dtype != "int8" for w in weights[name])
        ]
        yield _over_layers("int8 weights", wanted, broken)
    else:
        yield _stored_in(file, mode)
    if mode in ("int8", "int16x8") and not quantize["aware"]:
        kind = "int8" if mode == "int8" else "int16"
        stray = file.float_operators
        listed = ", ".join(f"{count} × {name}" for name, count in sorted(stray.items()))
        found = f"in float: {listed}" if stray else "every operator"
        yield Finding(f"operators compute in {kind}", not stray, found)
    if quantize["io"] != "float32":
        yield _ends(file, quantize["io"])


def _ends(file: TfliteFile, dtype: str) -> Finding:
    """Inputs that are integers by nature, such as tokens, stay what they are."""
    indices = file.input_dtype in _INDICES
    kept = file.output_dtype == dtype and (indices or file.input_dtype == dtype)
    what = f"{dtype} outputs" if indices else f"{dtype} inputs and outputs"
    return Finding(what, kept, f"{file.input_dtype} in, {file.output_dtype} out")


def _stored_in(file: TfliteFile, mode: str) -> Finding:
    dtype = "float16" if mode == "float16" else "int8"
    smallest = _DYNAMIC_RANGE_WEIGHTS if mode == "dynamic" else 0
    tables = _TABLES if mode in ("dynamic", "int16x8") else ()
    considered = [w for w in file.weights if w.stored.size >= smallest and w.op not in tables]
    stray = [weight for weight in considered if weight.dtype != dtype]
    of = f" of {smallest} weights or more" if smallest else ""
    return Finding(
        f"kernels{of} stored in {dtype}",
        not stray,
        f"in {stray[0].dtype}: {_listed([w.name for w in stray])}" if stray else "every kernel",
    )


def _not_empty(file: TfliteFile) -> Finding:
    empty = [w.name for w in file.weights if w.stored.size > 1 and w.zeros == w.stored.size]
    found = f"nothing but zeros: {_listed(empty)}" if empty else "every kernel has some left"
    return Finding("no kernel loses all of its weights", not empty, found)


def _encoded(file: TfliteFile) -> Finding:
    return Finding(
        "pruned weights in TFLite's sparse encoding",
        file.sparse_tensors > 0,
        f"{file.sparse_tensors} tensors",
    )


def _over_layers(
    what: str,
    wanted: Mapping[str, Any] | list[str],
    broken: list[str],
    found: Mapping[str, Any] | None = None,
    text: Any = None,
) -> Finding:
    """A promise to several layers; the ones that break it are named."""
    write = text or _percent
    count = f"{len(wanted)} layer{'s' * (len(wanted) != 1)}"
    if broken:
        listed = _listed(
            [f"{name} ({write((found or {}).get(name))})" if found else name for name in broken]
        )
        return Finding(f"{what} in {count}", kept=False, found=f"not in {listed}")
    values = [value for value in (found or {}).values() if value is not None]
    span = f"{write(min(values))} to {write(max(values))}" if values else "in every one"
    return Finding(f"{what} in {count}", kept=True, found=span)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _span(shares: list[float]) -> str:
    return " / ".join(_percent(share) for share in shares[:4]) + (" …" if len(shares) > 4 else "")


def _percent(share: float | None) -> str:
    return "not found" if share is None else f"{100 * share:.4g} %"
