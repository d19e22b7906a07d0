"""A variant's measures as a row of figures."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from optimizer.headlines import Headline, details, headlines
from optimizer.store.records import Variant


def draw_headlines(variant: Variant, baseline: Variant | None) -> None:
    """The measures a person asks for first; green is better than the baseline, red is worse."""
    if baseline is None and not variant.is_baseline:
        st.warning(
            "The baseline has not been measured, so there is nothing to compare with. The "
            "Compare page lists what failed, and can try it again."
        )
    _row(headlines(variant, baseline))


def draw_details(variant: Variant, baseline: Variant | None) -> None:
    """The measures that explain them."""
    _row(details(variant, baseline))


def _row(items: Sequence[Headline]) -> None:
    row = st.container(horizontal=True)
    for item in items:
        color = {True: "green", False: "red", None: "off"}[item.better]
        row.metric(
            item.title,
            item.value,
            item.delta,
            delta_color=color,  # type: ignore[arg-type]
            delta_arrow="off",
            help=item.explanation,
            border=True,
            height="stretch",
        )
