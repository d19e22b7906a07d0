"""Picking single definitions out of this package's sources, with all that they need.

The plain script must repeat what the stages do, without this package. What it cannot say in a
few lines of TensorFlow is therefore copied, word for word, from where the stages have it. The
sources are read as text: nothing is imported, and so no TensorFlow either.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_PACKAGE = _ROOT.name
_WIDTH = 100
Place = tuple[str, str]
"""A module's dotted name, and the name of a definition in it."""


@dataclass
class Inlined:
    """What was picked.

    Attributes:
        definitions: sources of functions, classes and constants, each after what it needs.
        imports: import statements for what they need from other libraries, one name each.
        names: every module-level name that they use or define.
    """

    definitions: list[str]
    imports: set[str]
    names: set[str]


def inline(
    roots: Iterable[Place],
    provided: Collection[str] = (),
    instead: Mapping[Place, Place] | None = None,
) -> Inlined:
    """The sources of some definitions and of everything in this package that they use.

    Args:
        roots: what to pick.
        provided: names that the script defines itself.
        instead: definitions to replace by another one of the same name.
    """
    picking = _Picking(frozenset(provided), instead or {})
    for root in roots:
        picking.pick(root)
    return Inlined(picking.sources, picking.imports, picking.names)


def import_block(statements: Iterable[str]) -> tuple[str, str]:
    """Import statements in the usual order, those from one module joined.

    Returns:
        Those of modules that come with Python, and the others.
    """
    plain: set[str] = set()
    members: dict[str, set[str]] = defaultdict(set)
    for statement in statements:
        node = ast.parse(statement).body[0]
        if isinstance(node, ast.ImportFrom):
            members[str(node.module)] |= {ast.unparse(alias) for alias in node.names}
        else:
            plain.add(statement)
    lines = [(line.split()[1], line) for line in sorted(plain)]
    lines += [(module, _from(module, sorted(members[module]))) for module in sorted(members)]
    standard = [line for module, line in lines if _is_standard(module)]
    others = [line for module, line in lines if not _is_standard(module)]
    return "\n".join(standard), "\n".join(others)


def _is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def _from(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= _WIDTH:
        return line
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"


@dataclass(frozen=True)
class _Module:
    """A module's text by definition, and where its other names come from."""

    definitions: dict[str, tuple[ast.stmt, str]]
    ours: dict[str, Place]
    others: dict[str, str]


class _Picking:
    def __init__(self, provided: frozenset[str], instead: Mapping[Place, Place]) -> None:
        self._provided, self._instead = provided, instead
        self._owners: dict[str, Place] = {}
        self.sources: list[str] = []
        self.imports: set[str] = set()
        self.names: set[str] = set()

    def pick(self, place: Place) -> None:
        """Add a definition, after all that it needs."""
        module_name, name = place = self._instead.get(place, place)
        module = _module(module_name)
        node, source = module.definitions[name]
        first = self._owners.setdefault(name, place)
        if first != place:
            other = _module(first[0]).definitions[name][1]
            if other != source:
                raise ValueError(f"{name!r} is defined differently in {first[0]} and {module_name}")
        if first != place or name in self.names:
            return
        self.names.add(name)
        used = {item.id for item in ast.walk(node) if isinstance(item, ast.Name)} - {name}
        for other_name in sorted(used):
            self._need(module_name, module, other_name)
        if source not in self.sources:  # one statement may define several names
            self.sources.append(source)

    def _need(self, module_name: str, module: _Module, name: str) -> None:
        if name in self._provided:
            self.names.add(name)
        elif name in module.definitions:
            self.pick((module_name, name))
        elif name in module.ours:
            self.pick(module.ours[name])
        elif name in module.others:
            self.imports.add(module.others[name])
            self.names.add(name)


@cache
def _module(name: str) -> _Module:
    text = _path(name).read_text()
    lines = text.splitlines()
    definitions: dict[str, tuple[ast.stmt, str]] = {}
    ours: dict[str, Place] = {}
    others: dict[str, str] = {}
    body = ast.parse(text).body
    for node, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(f"{_PACKAGE}."):
            ours |= {
                alias.asname or alias.name: (str(node.module), alias.name) for alias in node.names
            }
        elif isinstance(node, ast.Import | ast.ImportFrom):
            others |= _statements(node)
        else:
            for defined in _defined(node):
                definitions[defined] = (node, _source(lines, node, following))
    return _Module(definitions, ours, others)


def _path(module: str) -> Path:
    """Where a module of this package is, and no other."""
    package, _, rest = module.partition(".")
    assert package == _PACKAGE, module
    return _ROOT.joinpath(*rest.split(".")).with_suffix(".py")


def _statements(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """Name → an import statement for it alone."""
    found = {}
    for alias in node.names:
        single = (
            ast.Import([alias])
            if isinstance(node, ast.Import)
            else ast.ImportFrom(node.module, [alias], 0)
        )
        found[alias.asname or alias.name.split(".")[0]] = ast.unparse(single)
    return found


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return []
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [
        item.id for target in targets for item in ast.walk(target) if isinstance(item, ast.Name)
    ]


def _source(lines: list[str], node: ast.stmt, following: ast.stmt | None) -> str:
    """A statement's lines, with its decorators and the docstring below a constant."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(item.lineno for item in decorators)])
    last = node.end_lineno
    if not isinstance(node, ast.FunctionDef | ast.ClassDef) and isinstance(following, ast.Expr):
        last = following.end_lineno
    return "\n".join(lines[first - 1 : last])
