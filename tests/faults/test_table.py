"""The documentation names a test for each promise, and each of them exists."""

import ast
import re

from tests.engine.conftest import ROOT


def names_in(path):
    """The names of the tests in a file."""
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_table_of_faults_names_exists():
    text = (ROOT / "docs" / "faults.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > 50
    assert [f"{path}::{name}" for path, name in named if name not in names_in(path)] == []
    rows = [line for line in text.splitlines() if re.match(r"\| (?!fault|---)", line)]
    assert [row for row in rows if "::test_" not in row] == []


def test_every_test_of_faults_is_in_the_table():
    text = (ROOT / "docs" / "faults.md").read_text()
    files = [f"tests/faults/{path.name}" for path in (ROOT / "tests" / "faults").glob("test_*.py")]
    proofs = {
        name
        for path in (*files, "tests/pages/test_faults.py")
        for name in names_in(path)
        if name.startswith("test_") and "table" not in name
    }
    assert [name for name in sorted(proofs) if name not in text] == []
