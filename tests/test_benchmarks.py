"""The matrix runs on the real engine; its table is complete."""

import subprocess
import sys
from pathlib import Path

from benchmarks.matrix import Cell
from benchmarks.models import SUBJECTS
from benchmarks.recipes import RECIPES
from benchmarks.table import markdown

ROOT = Path(__file__).parents[1]


def test_a_part_of_the_matrix_runs(tmp_path):
    out = tmp_path / "part.md"
    chosen = ["--models", "cancer_mlp", "--recipes", "dyn,p", "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.matrix", *chosen],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "| cancer_mlp | ✓ | ✓ |" in out.read_text()
    assert "1 models × 2 recipes, 2 cells, of which 2 are done" in out.read_text()


def test_the_matrix_is_as_large_as_promised():
    facts = {"layers": [{"name": "end", "parameters": 1, "techniques": {}}]}
    recipes = [entry.recipe(facts).hash for entry in RECIPES.values()]
    assert len(SUBJECTS) >= 12
    assert len(set(recipes)) == len(RECIPES) >= 20


def test_each_reason_is_listed_once_with_its_cells():
    cells = {
        ("mlp", "p"): Cell("done"),
        ("mlp", "k"): Cell("failed", "It crashed."),
        ("lstm", "p"): Cell("refused", "No layer."),
        ("lstm", "k"): Cell("refused", "No layer."),
    }
    text = markdown(cells, "1 minute")
    assert "| mlp | ✓ | ✗1 |" in text
    assert "| lstm | r1 | r1 |" in text
    assert "- **r1** No layer. *(lstm: p, k)*" in text
    assert "- **✗1** It crashed. *(mlp: k)*" in text
