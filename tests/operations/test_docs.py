"""What docs/operations.md says is what there is."""

import ast
import configparser
import re
from pathlib import Path

from optimizer.__main__ import _parser
from optimizer.logs.setup import LEVELS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text()


def names_of_events():
    """The events that the code says by name."""
    place = {"event": 1, "log": 1, "fold": 0}
    for path in (ROOT / "optimizer").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                given = node.args[place[called] :] if called in place else []
                if given and isinstance(given[0], ast.Constant):
                    yield given[0].value


def test_every_event_is_explained():
    events = {*names_of_events(), "stderr", "message", "run_note"}
    events |= {f"run_{state}" for state in ("done", "failed", "cancelled")}
    assert {"engine_ready", "stage_done", "run_resumed", "left_on_stderr", "uncaught"} <= events
    assert {name for name in events if isinstance(name, str) and f"`{name}`" not in TEXT} == set()


def test_the_commands_exist():
    used = re.findall(r"-m optimizer (doctor|backup|restore)([^\n`'#]*)", TEXT)
    assert {name for name, _ in used} == {"doctor", "backup", "restore"}
    for name, rest in used:
        options = [word for word in rest.split() if re.fullmatch(r"--[a-z]+|[/\w.~-]+", word)]
        if name == "doctor" or options:
            _parser().parse_args([name, *options])


def test_the_levels_are_named():
    assert "|".join(LEVELS) in TEXT


def test_the_units_are_units():
    blocks = re.findall(r"```ini\n(.*?)```", TEXT, re.S)
    assert len(blocks) == 5
    for block in blocks:
        unit = configparser.RawConfigParser(strict=True)
        unit.optionxform = str
        unit.read_string(block)
        assert "Unit" in unit
        if "Service" in unit:
            assert unit["Service"]["User"] == "featherweight"
            assert unit["Service"]["Environment"].startswith("FEATHERWEIGHT_HOME=/var/lib/")
            assert ".venv/bin/" in unit["Service"]["ExecStart"]
