"""Text for the cells of a spreadsheet: what a stranger named must not become a formula there.

Spreadsheets take a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line break for a
formula, which can start programs and send cells to other machines (OWASP, "CSV injection"). An
apostrophe in front makes it text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_QUANTITY = re.compile(r"[+-] ?\d[\d.,]*( ?[A-Za-z%×µ/]{1,12}){0,3}")
"""A signed number with a unit, such as ``-1.2 points``: a formula needs an operator or a call."""


def plain_cell(value: Any) -> Any:
    """A value for a cell; text that would be a formula is marked as text."""
    if not isinstance(value, str):
        return value
    text = value.replace("\x00", "")
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text


def plain_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """A table to be shown and downloaded: its texts and column names as :func:`plain_cell`.

    Signed numbers with a unit, which the workbench itself writes, stay as they are.
    """
    import pandas as pd  # slow to import, and text files need none of it

    plain = frame.rename(columns=_plain_unless_quantity)
    for place, dtype in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(dtype) and not isinstance(dtype, pd.DatetimeTZDtype):
            plain.isetitem(place, frame.iloc[:, place].map(_plain_unless_quantity).array)
    if not pd.api.types.is_numeric_dtype(frame.index.dtype):
        plain.index = frame.index.map(_plain_unless_quantity)
    return plain


def _plain_unless_quantity(value: Any) -> Any:
    if isinstance(value, str) and _QUANTITY.fullmatch(value.strip()):
        return value
    return plain_cell(value)
