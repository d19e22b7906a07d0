"""Everything about one variant in one zip; the same variant gives the same bytes."""

from __future__ import annotations

import io
import json
import textwrap
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.errors import InputError
from optimizer.format import (
    format_bytes,
    format_metric,
    format_ms,
    format_times,
    metric_words,
)
from optimizer.measured import Latency, Measured
from optimizer.recipe import Recipe
from optimizer.takeaway.c_array import c_array
from optimizer.takeaway.phone import phone_text
from optimizer.takeaway.script import plain_script, requirements
from optimizer.takeaway.script_values import start_file

_EPOCH = (1980, 1, 1, 0, 0, 0)
SCRIPT, REQUIREMENTS, SCALING = "make_variant.py", "requirements.txt", "scaling.json"


@dataclass(frozen=True)
class Takeaway:
    """A finished variant, and what its files are made from.

    Attributes:
        stem: the name of its files, without an extension.
        facts: ``facts.json`` of the study's model.
        task, loss: the study's.
        threads: processor threads of the stages that made the variant.
        model_config: ``config.json`` of the flat model, where it is at hand.
        measured: the variant's measurements.
        tflite: the file.
        narrowed: the model after its channels were removed, where the recipe does that and it
            is at hand.
        scaling: how samples were scaled, which the device has to repeat: ``facts.json``'s.
    """

    stem: str
    recipe: Recipe
    facts: Mapping[str, Any]
    task: str
    threads: int
    model_config: str | None
    measured: Measured
    tflite: bytes
    narrowed: bytes | None = None
    loss: str | None = None
    scaling: Mapping[str, Any] | None = None

    def script(self) -> str:
        """The plain script; see :func:`optimizer.takeaway.script.plain_script`."""
        return plain_script(
            self.recipe, self.facts, self.task, self.threads, self.model_config, self.loss
        )

    def why_no_script(self) -> str | None:
        """Why there is no plain script, or ``None`` when there is one."""
        try:
            self.script()
        except InputError as error:
            return str(error)
        return None

    def c_files(self) -> dict[str, bytes]:
        """The C array's two files, by name."""
        made = c_array(self.tflite, self.stem, self.recipe.name)
        return {f"{made.stem}.h": made.header.encode(), f"{made.stem}.cc": made.source}


def bundle(variant: Takeaway) -> bytes:
    """The zip: file, recipe, script, C array, phone commands, and a README that explains them."""
    files = {
        f"{variant.stem}.tflite": variant.tflite,
        "recipe.json": f"{variant.recipe.canonical_json(indent=2)}\n".encode(),
        "phone.txt": phone_text(f"{variant.stem}.tflite", variant.recipe.quantize.mode).encode(),
        **{f"microcontroller/{name}": data for name, data in variant.c_files().items()},
    }
    missing = variant.why_no_script()
    if missing is None:
        files |= {SCRIPT: variant.script().encode(), REQUIREMENTS: requirements().encode()}
    if variant.narrowed is not None:
        files[start_file(variant.recipe)] = variant.narrowed
    if variant.scaling is not None:
        files[SCALING] = json.dumps(variant.scaling, indent=2).encode()
    return zipped({"README.txt": _readme(variant, missing).encode(), **files})


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Files as a zip with fixed dates: the same files give the same bytes."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return written.getvalue()


def _readme(variant: Takeaway, missing: str | None) -> str:
    parts = {
        f"{variant.stem}.tflite": "the model, as measured below",
        "recipe.json": "how it was made; `python -m optimizer run` repeats it",
        "microcontroller/": "the model as a C++ array for TensorFlow Lite for Microcontrollers",
        "phone.txt": "commands that measure the model on an Android phone",
    }
    if missing is None:
        parts |= {
            SCRIPT: "makes the model again with TensorFlow alone; it reads "
            f"{start_file(variant.recipe)} and data.npz, which are downloads beside this one",
            REQUIREMENTS: "the versions that the script needs",
        }
    if variant.narrowed is not None:
        parts[start_file(variant.recipe)] = "the model after its channels were removed"
    if variant.scaling is not None:
        parts[SCALING] = (
            "what has to be done to each sample before the model: (x - offset) / divisor"
        )
    warnings = c_array(variant.tflite, variant.stem, "").warnings
    notes = [*([missing] if missing else []), *(f"Microcontroller: {text}" for text in warnings)]
    sections = [
        variant.recipe.name,
        "Files\n" + "\n".join(_entry(name, text) for name, text in parts.items()),
        "Measured\n" + "\n".join(_entry(name, text) for name, text in figures(variant.measured)),
    ]
    if notes:
        sections.append("Notes\n" + "\n".join(_filled(note) for note in notes))
    return "\n\n".join((*sections, "Made with Featherweight.")) + "\n"


def _entry(name: str, text: str) -> str:
    return _filled(f"{name}: {text}")


def _filled(text: str) -> str:
    return textwrap.fill(text, 98, initial_indent="  ", subsequent_indent="      ")


def figures(found: Measured) -> list[tuple[str, str]]:
    """What was measured, with units, conditions and device; what was not is left out."""
    rows: list[tuple[str, str | None]] = [
        ("size as it ships", _bytes(found.size_bytes)),
        ("size gzip-compressed", _bytes(found.gzip_bytes)),
        ("parameters", _bytes(found.parameter_bytes)),
        (metric_words(found.metric), _metric(found)),
        ("agreement with the float32 baseline", _percent(found.agreement)),
        ("zeros among prunable weights", _percent(found.sparsity)),
        ("latency", _latency(found.latency)),
        ("peak memory of the interpreter", _bytes(found.peak_memory_bytes)),
    ]
    return [(name, text) for name, text in rows if text is not None]


def _bytes(value: int | None) -> str | None:
    return None if value is None else f"{format_bytes(value)} ({value:,} bytes)"


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{100 * value:.2f} %"


def _metric(found: Measured) -> str | None:
    if found.value is None:
        return None
    text = format_metric(found.metric, found.value)
    if found.interval:
        low, high = (format_metric(found.metric, end) for end in found.interval)
        text += f" (95 % interval {low} to {high})"
    return text + (f" on {found.samples:,} test samples" if found.samples else "")


def _latency(latency: Latency | None) -> str | None:
    if latency is None:
        return None
    text = f"p50 {format_ms(latency.p50_ms)}"
    if latency.p90_ms and latency.p99_ms:
        text += f", p90 {format_ms(latency.p90_ms)}, p99 {format_ms(latency.p99_ms)}"
    if latency.ratio:
        text += f", {format_times(latency.ratio)} the baseline's p50"
        text += " (within the noise)" if latency.significant is False else ""
    where = [latency.device, latency.delegate]
    where += [f"{latency.threads} thread{'s' * (latency.threads > 1)}"] if latency.threads else []
    named = ", ".join(item for item in where if item)
    return f"{text}; on {named}" if named else text
