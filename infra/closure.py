"""Which files a handler needs: the closure of its imports over ``functions/`` and ``shared/``, read from the source.

Only plain imports count, wherever they stand in a file (also inside a function); those under ``if TYPE_CHECKING:``
do not, since they never run. A module that is imported in any other way is not found, and the packaging test fails.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PACKAGES: Final = ("functions", "shared")
"""Our own top-level packages. Everything else comes from the layer or the standard library."""


def import_closure(root: Path, start: Path) -> frozenset[Path]:
    """Every file of ours that ``start`` reaches, itself included, with data files (``*.json``) beside reached modules."""
    reached: set[Path] = set()
    waiting = [start, *_parents(root, start)]
    while waiting:
        file = waiting.pop()
        if file in reached:
            continue
        reached.add(file)
        for name in _imported(file, root):
            waiting.extend(_files_of(root, name))
    folders = {file.parent for file in reached}
    return frozenset(reached | {data for folder in folders for data in folder.glob("*.json")})


def _imported(file: Path, root: Path) -> Iterator[str]:
    """Dotted names that may be modules of ours."""
    package = ".".join(file.relative_to(root).parent.parts)
    for node in _running_nodes(ast.parse(file.read_text(encoding="utf-8"), str(file))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                above = parts[: len(parts) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _running_nodes(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if isinstance(node, ast.If) and _is_type_checking(node.test):
        children: list[ast.AST] = list(node.orelse)
    else:
        children = list(ast.iter_child_nodes(node))
    for child in children:
        yield from _running_nodes(child)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING")


def _files_of(root: Path, name: str) -> list[Path]:
    """The files that importing ``name`` runs: the module or package, and the packages above it."""
    if name.split(".", 1)[0] not in PACKAGES:
        return []
    place = root.joinpath(*name.split("."))
    module, package = place.with_name(place.name + ".py"), place / "__init__.py"
    found = package if package.exists() else module
    return [found, *_parents(root, found)] if found.exists() else []


def _parents(root: Path, file: Path) -> list[Path]:
    """``__init__.py`` of every package that holds the file. Each must exist: we use no namespace packages."""
    folder, found = file.parent, []
    while folder != root:
        found.append(folder / "__init__.py")
        folder = folder.parent
    return found
