"""A chart on the page, with the same numbers as a table behind it."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from optimizer.charts.style import CONFIG
from pages.parts.table import show_table


def draw_chart(
    figure: go.Figure,
    key: str,
    alt: str,
    table: pd.DataFrame | None = None,
    *,
    mode_bar: bool = True,
) -> None:
    """Draw a figure; ``alt`` says what it shows, ``table`` opens behind a click."""
    st.plotly_chart(
        figure,
        config=CONFIG if mode_bar else {**CONFIG, "displayModeBar": False},
        key=key,
        alt=alt,
    )
    if table is not None:
        with st.popover("As a table", icon=":material/table:", key=f"{key}-table"):
            show_table(table, hide_index=True, alt=alt)
