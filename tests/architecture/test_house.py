"""The house keeps its shape: rooms, purity, sizes, complete functions. Directions of imports are contracts in .importlinter."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.functions import SPECS
from shared.http.routes import ROUTES, SCOPES
from shared.kernel.scopes import PUBLIC, RELEASE

ROOT = Path(__file__).parents[2]
PURE = [
    *sorted((ROOT / "shared" / "kernel").glob("*.py")),
    *sorted(file for name in ("model", "rules") for file in (ROOT / "shared").glob(f"*/{name}.py")),
    *sorted((ROOT / "shared" / "member_state").glob("*.py")),
    *sorted((ROOT / "shared" / "segments").rglob("*.py")),
    *sorted((ROOT / "shared" / "profile").rglob("*.py")),
    *sorted((ROOT / "shared" / "snapshots").glob("vector*.py")),
]
IMPURE = {"os.environ", "os.getenv", "datetime.now", "datetime.utcnow", "time.time", "time.time_ns", "date.today", "random.random"}
LONGEST_FILE = 420
LONGEST_FUNCTION = 70


def sources(*folders: str) -> Iterator[Path]:
    """Every Python file below the folders."""
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("file", PURE, ids=lambda file: str(file.relative_to(ROOT)))
def test_domain_code_has_no_clock_environment_or_chance(file: Path) -> None:
    used = {ast.unparse(node) for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Attribute)}
    assert used & IMPURE == set()


@pytest.mark.parametrize("name", sorted(SPECS))
def test_a_function_is_a_handler_its_routes_and_its_settings_and_nothing_else(name: str) -> None:
    files = {file.name for file in (ROOT / "functions" / name).iterdir() if file.suffix in (".py", ".json")}
    routes = {file for file in files if file.endswith("_routes.py")}
    wiring = {"wiring.py"} if routes else set()
    assert files - {"settings.py", "openapi.json"} == {"__init__.py", "handler.py"} | routes | wiring


@pytest.mark.parametrize("name", sorted({route.function for route in ROUTES}))
def test_every_route_of_a_function_has_a_handler(name: str) -> None:
    importlib.import_module(f"functions.{name}.handler").app.check_complete()


def test_every_scope_is_explained_and_used() -> None:
    beside_the_routes = {RELEASE}
    assert {route.scope for route in ROUTES} - {PUBLIC} == set(SCOPES) - beside_the_routes


def test_files_and_functions_are_of_a_size_that_one_reads() -> None:
    too_long = []
    for file in sources("shared", "functions", "infra", "local"):
        text = file.read_text()
        if text.count("\n") > LONGEST_FILE:
            too_long.append(f"{file.relative_to(ROOT)}: {text.count(chr(10))} lines")
        functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
        lengths = {node.name: (node.end_lineno or 0) - node.lineno for node in functions}
        too_long += [f"{file.relative_to(ROOT)}: {name} {length} lines" for name, length in lengths.items() if length > LONGEST_FUNCTION]
    assert too_long == []


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        str(file.relative_to(ROOT))
        for file in sources("shared", "functions")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "os.environ"
    }
    assert {reader.rpartition("/")[2] for reader in readers} == {"settings.py"}
