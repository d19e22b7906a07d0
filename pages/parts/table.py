"""A table on the page that is safe to download: no cell of it is a formula for a spreadsheet."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from optimizer.cells import plain_frame


def show_table(table: Any, **options: Any) -> Any:
    """``st.dataframe``, whose menu has a download as CSV, with names of strangers as plain text.

    Args:
        table: a frame, or what makes one.
        options: of ``st.dataframe``.

    Returns:
        What ``st.dataframe`` returns: the selection, where one is asked for.
    """
    frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(table)
    return st.dataframe(plain_frame(frame), **options)
