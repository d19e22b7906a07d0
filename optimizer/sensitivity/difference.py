"""Two measured variants of nearly the same recipe, and what sets them apart, in words."""

from __future__ import annotations

from optimizer.comparison import latency_verdict
from optimizer.format import format_bytes, format_metric, is_share, lowered, metric_title
from optimizer.measured import Measured, measured
from optimizer.recipe import Recipe
from optimizer.store.records import Variant


def siblings(recipe: Recipe, variants: list[Variant]) -> list[Variant]:
    """The measured variants whose recipes differ from one in the settings of layers at most."""
    bare = recipe.model_copy(update={"layers": {}})
    return [
        variant
        for variant in variants
        if variant.results and variant.recipe.model_copy(update={"layers": {}}) == bare
    ]


def difference(before: Variant, after: Variant) -> list[str]:
    """What the second variant costs and gains against the first, each as a sentence.

    Never more than was measured: accuracies whose intervals overlap are said to be within noise.
    """
    old, new = measured(before), measured(after)
    if old is None or new is None:
        return []
    found = [_sizes(old, new), _quality(old, new), _latency(old, new)]
    return [sentence for sentence in found if sentence]


def _sizes(old: Measured, new: Measured) -> str | None:
    """The download and the file, which pruning and clustering change differently."""
    parts = []
    for field, what in (("gzip_bytes", "gzip-compressed"), ("size_bytes", "as it ships")):
        was, size = getattr(old, field), getattr(new, field)
        if was is None or size is None:
            continue
        if was == size:
            parts.append(f"the same size {what}")
        else:
            word = "larger" if size > was else "smaller"
            parts.append(f"{format_bytes(abs(size - was))} {word} {what}")
    text = " and ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if parts else None


def _quality(old: Measured, new: Measured) -> str | None:
    if old.value is None or new.value is None or old.metric != new.metric:
        return _agreement(old, new)
    gained = new.value - old.value
    title = metric_title(new.metric)
    ends = f"{format_metric(old.metric, old.value)} → {format_metric(new.metric, new.value)}"
    if gained == 0:
        return f"The same {lowered(title)} ({ends})."
    better = (gained > 0) == new.higher_is_better
    if is_share(new.metric):
        points = f"{round(abs(100 * gained), 2):g}"
        amount = f"{points} point{'s' * (points != '1')} {'more' if better else 'less'} accurate"
    else:
        amount = f"{title} {abs(gained):.4g} {'better' if better else 'worse'}"
    text = f"{amount} ({ends})"
    if old.interval and new.interval and _overlap(old.interval, new.interval):
        on = f" on {new.samples:,} samples" if new.samples else ""
        text += f"; the 95 % intervals{on} overlap, so it may be chance"
    return f"{text[0].upper()}{text[1:]}."


def _agreement(old: Measured, new: Measured) -> str | None:
    if old.agreement is None or new.agreement is None:
        return None
    points = 100 * (new.agreement - old.agreement)
    if points == 0:
        return f"Agrees with the baseline as often ({100 * new.agreement:.4g} %)."
    return (
        f"Agrees with the baseline {abs(points):.2f} points {'more' if points > 0 else 'less'} "
        f"often ({100 * old.agreement:.4g} % → {100 * new.agreement:.4g} %)."
    )


def _latency(old: Measured, new: Measured) -> str | None:
    """Both against the baseline: the two files are not compared with each other directly."""
    if old.latency is None or new.latency is None:
        return "Latency: not measured for both."
    return f"Latency against the baseline: {latency_verdict(new)}; before, {latency_verdict(old)}."


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]
