"""A variant's headline measures as a row of figures."""

from __future__ import annotations

import streamlit as st

from optimizer.comparison import headlines
from optimizer.store.records import Variant


def draw_headlines(variant: Variant, baseline: Variant | None) -> None:
    """Draw them; green is better than the baseline, red is worse."""
    items = headlines(variant, baseline)
    for column, item in zip(st.columns(len(items)), items, strict=True):
        color = {True: "green", False: "red", None: "off"}[item.better]
        column.metric(
            item.title,
            item.value,
            item.delta,
            delta_color=color,  # type: ignore[arg-type]
            delta_arrow="off",
            help=item.explanation,
            border=True,
            height="stretch",
        )
