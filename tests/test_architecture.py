"""Imports run one way: from the top of the README's list of rooms to the bottom."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What a model's facts say of each layer is which techniques can act on it.
ALLOWED = {("models", "techniques")}


def rooms():
    """The rooms of ``optimizer/`` that the README lists, from the top down."""
    text = (ROOT / "README.md").read_text()
    listed = text[
        text.index("optimizer/             the library") : text.index("sample_models/     ")
    ]
    found = []
    for line in listed.splitlines()[1:]:
        if re.match(r"  \S", line):
            names = re.split(r"\s{2,}", line.strip())[0]
            found += [name.strip(" /") for name in names.split(",")]
    return found


def imports():
    """Each import within ``optimizer/`` from one room to another, and its place."""
    for path in sorted((ROOT / "optimizer").rglob("*.py")):
        room = path.relative_to(ROOT / "optimizer").parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(
                "optimizer"
            ):
                continue
            parts = node.module.split(".")
            for name in [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]:
                if name != room:
                    yield room, name, f"{path.relative_to(ROOT)}:{node.lineno}"


def test_every_folder_is_listed():
    folders = {path.parent.name for path in (ROOT / "optimizer").glob("*/__init__.py")}
    assert folders <= set(rooms())
    assert all(
        (ROOT / "optimizer" / room).is_dir() or (ROOT / "optimizer" / f"{room}.py").is_file()
        for room in rooms()
    )


def test_nothing_imports_what_is_above_it():
    order = {room: place for place, room in enumerate(rooms())}
    upward = [
        (room, name, place)
        for room, name, place in imports()
        if room in order and name in order and order[room] > order[name]
    ]
    assert [found for found in upward if found[:2] not in ALLOWED] == []
    assert {found[:2] for found in upward} >= ALLOWED
