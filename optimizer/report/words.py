"""The sentences of a report: question, answer and limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optimizer.comparison import NOT_MEASURED
from optimizer.format import (
    format_bytes,
    format_metric,
    format_ms,
    format_points,
    format_times,
    is_share,
    metric_title,
    metric_words,
)
from optimizer.measured import Latency, Measured, measured
from optimizer.report.plain import in_plain_words, left_in_float
from optimizer.report.source import ReportSource
from optimizer.store.records import Variant

_SAME = 0.005
_FEW_SAMPLES = 1000


def default_title(source: ReportSource) -> str:
    """The report's title until somebody writes another."""
    return f"{source.name}: smaller and faster, at what cost?"


def default_question(source: ReportSource) -> str:
    """What the report answers until somebody writes another question."""
    return (
        f"Can the model “{source.model.get('file_name') or source.name}” be made smaller or "
        "faster for the device it runs on, and what would that cost in quality?"
    )


def answer(choice: Variant, baseline: Variant | None) -> str:
    """The answer in one sentence, with measured figures and the interval of the metric.

    Raises:
        ValueError: the choice has no results.
    """
    found = measured(choice)
    if found is None:
        raise ValueError(f"{choice.name} has no results")
    base = measured(baseline) if baseline and baseline.id != choice.id else None
    facts = (_size(found, base), _quality(found, base), _speed(found, base))
    told = [text for text in facts if text]
    head = (
        "Keep the model as it is, converted to TensorFlow Lite"
        if choice.is_baseline
        else f"Use the variant “{choice.name}”"
    )
    return f"{head}: {_listed(told) or 'nothing about it was measured'}."


def meaning(variant: Variant, layers: Sequence[Mapping[str, Any]]) -> str:
    """What a variant is, for people who do not know its name's words.

    Args:
        layers: its layer table, which says what stayed in float.
    """
    if variant.is_baseline:
        return "Nothing was done to the model but converting it."
    words = f"“{variant.name}” is the model with {in_plain_words(variant.recipe)}."
    return words + left_in_float(variant.recipe, layers)


def in_short(choice: Variant, baseline: Variant | None) -> list[tuple[str, str, str]]:
    """The figures a person looks at first: name, value, and what it was before."""
    found = measured(choice)
    base = measured(baseline) if baseline and baseline.id != choice.id else None
    if found is None:
        return []
    rows = [
        ("Download (compressed)", found.gzip_bytes, base and base.gzip_bytes, format_bytes),
        ("File on the device", found.size_bytes, base and base.size_bytes, format_bytes),
    ]
    shown = [
        (name, show(value), f"before: {show(was)}" if was else "")
        for name, value, was, show in rows
        if value is not None
    ]
    title = metric_title(found.metric)
    if found.value is not None:
        was = f"before: {format_metric(found.metric, base.value)}" if base and base.value else ""
        shown.append((title, format_metric(found.metric, found.value), was))
    elif found.agreement is not None:
        text = "of predictions are the same as before"
        shown.append(("Agreement", f"{100 * found.agreement:.2f} %", text))
    if found.latency:
        was = f"before: {format_ms(base.latency.p50_ms)}" if base and base.latency else ""
        shown.append(("Time of one prediction", format_ms(found.latency.p50_ms), was))
    return shown


def limits(source: ReportSource, choice: Variant) -> list[str]:
    """What the figures do not say, each as a sentence that is true for this study."""
    found = measured(choice)
    assert found is not None
    return [*_quality_limits(source, choice, found), *_speed_limits(source, found), *_other(found)]


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(texts[:-1]) + (", and " if len(texts) > 1 else "") + "".join(texts[-1:])


def _size(found: Measured, base: Measured | None) -> str:
    if found.gzip_bytes is None:
        return ""
    text = f"its download is {format_bytes(found.gzip_bytes)}"
    if base is None or not base.gzip_bytes:
        return text
    ratio = base.gzip_bytes / found.gzip_bytes
    if abs(ratio - 1) < _SAME:
        return f"{text}, as before"
    change = f"{format_times(ratio)} smaller" if ratio > 1 else f"{format_times(1 / ratio)} larger"
    return f"{text} instead of {format_bytes(base.gzip_bytes)} ({change})"


def _quality(found: Measured, base: Measured | None) -> str:
    if found.value is None:
        if found.agreement is None:
            return "its quality was not measured"
        return f"it predicts the same as before for {100 * found.agreement:.2f} % of the samples"
    text = f"its {metric_words(found.metric)} is {format_metric(found.metric, found.value)}"
    samples = f"{found.samples:,} test samples" if found.samples else ""
    if found.interval:
        low, high = (format_metric(found.metric, end) for end in found.interval)
        text += f" (95 % interval {low} to {high}{samples and f', from {samples}'})"
    elif samples:
        text += f" (on {samples})"
    if base is None or base.value is None:
        return text
    if found.value == base.value:
        return f"{text}, exactly as before"
    by_chance = found.interval and found.interval[0] <= base.value <= found.interval[1]
    words = _difference(found, base.value) + (", which may be chance" if by_chance else "")
    return f"{text} instead of {format_metric(found.metric, base.value)} ({words})"


def _difference(found: Measured, was: float) -> str:
    """How far the metric is from what it was: in points, in per cent of an error, or as it is."""
    assert found.value is not None
    difference = found.value - was
    if is_share(found.metric):
        return format_points(difference)
    sign = "+" if difference > 0 else "−"
    text = f"{sign}{abs(difference):.3g}"
    if found.higher_is_better or not was:
        return text
    share = f"{abs(100 * difference / was):.2g}"
    return f"{text}: an error {share} % {'larger' if difference > 0 else 'smaller'}"


def _speed(found: Measured, base: Measured | None) -> str:
    if found.latency is None:
        return "its speed was not measured"
    text = f"one prediction takes {format_ms(found.latency.p50_ms)}"
    if base is not None and base.latency is not None:
        text += f" instead of {format_ms(base.latency.p50_ms)}"
    return f"{text} on the computer that measured it{_speed_change(found.latency)}"


def _speed_change(latency: Latency) -> str:
    if latency.ratio is None:
        return ""
    if not latency.significant:
        return " (no significant difference)"
    ratio = latency.ratio
    return (
        f" ({format_times(1 / ratio)} faster)" if ratio < 1 else f" ({format_times(ratio)} slower)"
    )


def _quality_limits(source: ReportSource, choice: Variant, found: Measured) -> Iterator[str]:
    metric = metric_words(found.metric)
    if found.value is None:
        yield (
            "The data have no labels, so quality is only known as agreement with the original "
            "model, which may itself be wrong."
            if found.agreement is not None
            else "Quality was not measured."
        )
    elif found.samples and found.samples < _FEW_SAMPLES:
        yield (
            f"The {metric} rests on {found.samples:,} test samples; differences inside the "
            "interval "
            "may be chance. On data of another kind than these it can be anything."
        )
    else:
        yield (
            f"The {metric} holds for data like the test data; on data of another kind it can be "
            "anything."
        )
    if found.value is not None:
        yield _unseen(source)
    confirmed = (source.search or {}).get("winner") or {}
    if confirmed.get("name") == choice.name:
        yield (
            "A search chose this variant on one half of the test samples and confirmed it on the "
            "other half."
        )
    elif len(source.variants) > 2 and found.value is not None and not choice.is_baseline:
        yield (
            f"It was chosen among {len(source.variants)} variants by the same test samples its "
            f"figure comes from, so the {metric} to expect on new data is a little worse."
        )
    if choice.recipe.trains and _is_better(found, source.baseline):
        yield (
            "Making this variant trained it further, which may be why it does better than the "
            "original: the original, trained as much longer, might too."
        )
    for promise in found.broken:
        yield f"The file does not keep a promise of its recipe: {promise.promise}; {promise.found}."


def _unseen(source: ReportSource) -> str:
    """What is not known of the test samples: whether the original model was trained on them."""
    if source.dataset.get("split"):
        return (
            "The test samples were split off here, from data that came in one piece. If the "
            "original model was trained on all of it, it has seen them, and every figure of "
            "quality is better than what to expect on new data."
        )
    return (
        "Whether the original model was trained on the test samples is not known here. If it was, "
        "every figure of quality is better than what to expect on new data."
    )


def _is_better(found: Measured, baseline: Variant | None) -> bool:
    """Whether a variant's metric is better than the baseline's by more than chance."""
    base = measured(baseline) if baseline else None
    if base is None or base.value is None or found.value is None:
        return False
    low, high = found.interval or (found.value, found.value)
    return low > base.value if found.higher_is_better else high < base.value


def _speed_limits(source: ReportSource, found: Measured) -> Iterator[str]:
    if found.latency is None:
        yield "Speed was not measured."
    else:
        device = found.latency.device or source.environment.get("processor") or "one computer"
        yield (
            f"Speed was measured on one computer ({device}), by its main processor. Phones, "
            "graphics processors and microcontrollers differ, in the order of the variants, too."
        )
    if found.peak_memory_bytes is None:
        yield f"Memory while running: {NOT_MEASURED}."


def _other(found: Measured) -> Iterator[str]:
    yield (
        "Energy, flash and RAM of microcontrollers are estimates computed from the file and "
        "published figures; nothing was run on such a device."
    )
    yield "Robustness, fairness over groups of people, and security were not examined."
    if found.notes:
        yield "Notes of the conversion: " + " ".join(found.notes)
