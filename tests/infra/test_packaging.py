"""Each function ships what its handler reaches, and nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.closure import import_closure
from infra.layer import SERVICES
from infra.packaging import FUNCTIONS, ROOT, Packages, stage_function
from infra.stage import stage_named
from tests.infra.conftest import Synthesised

RUNNING = (sys.version_info[0], sys.version_info[1])
ALONE = "import sys; sys.path[:0] = {paths!r}; "
"""A fresh interpreter that sees the standard library and these folders: no site-packages, no environment."""
PROVIDED_BY_LAMBDA = ("AWS_", "_X_AMZN_", "LAMBDA_", "_HANDLER")


def run_alone(code: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """``-I -S``: neither PYTHONPATH nor the virtual environment helps."""
    program = ALONE.format(paths=[str(path) for path in paths]) + code
    return subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False, env={})


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("staged")
    return {name: stage_function(ROOT, name, folder / name, RUNNING) for name in FUNCTIONS}


@pytest.fixture(scope="module")
def layer() -> Path:
    return Packages(stage_named("local")).layer


@pytest.fixture(scope="module")
def images() -> Path:
    return Packages(stage_named("local")).images


@pytest.fixture(scope="module")
def columns() -> Path:
    return Packages(stage_named("local")).columns


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_staged_handler_imports_alone_with_an_empty_environment(
    staged: dict[str, Path], layer: Path, images: Path, columns: Path, name: str
) -> None:
    more = {"media": [images / "python"], "audiences": [columns / "python"]}
    layers = [layer / "python", *more.get(name, [])]
    done = run_alone(f"from functions.{name}.handler import lambda_handler", *layers, staged[name])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_ships_another_ones_code(staged: dict[str, Path], name: str) -> None:
    folders = {entry.name for entry in (staged[name] / "functions").iterdir() if entry.is_dir() and entry.name != "__pycache__"}
    assert folders == {name}
    assert {entry.name for entry in staged[name].iterdir()} <= {"functions", "shared"}


def _variables_read(folder: Path) -> Iterator[str]:
    """Names in ``os.environ["X"]``, ``os.environ.get("X")`` and ``os.getenv("X")``."""
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) in {"os.environ", "environ"}:
                key: ast.expr = node.slice
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"os.environ.get", "environ.get", "os.getenv"}:
                key = node.args[0]
            else:
                continue
            if isinstance(key, ast.Constant):
                yield str(key.value)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_reads_only_variables_that_it_is_given(staged: dict[str, Path], local: Synthesised, name: str) -> None:
    given = set(local.service.function(name)["Environment"]["Variables"])
    read = {variable for variable in _variables_read(staged[name]) if not variable.startswith(PROVIDED_BY_LAMBDA)}
    assert read <= given


def test_staging_again_gives_the_same_files_with_the_same_times(tmp_path: Path) -> None:
    def content(folder: Path) -> dict[str, tuple[bytes, float]]:
        return {str(f.relative_to(folder)): (f.read_bytes(), f.stat().st_mtime) for f in sorted(folder.rglob("*")) if f.is_file()}

    first = content(stage_function(ROOT, "event_relay", tmp_path / "first", RUNNING))
    second = content(stage_function(ROOT, "event_relay", tmp_path / "second", RUNNING))
    assert first == second
    assert {time for _, time in first.values()} == {0}


def test_bytecode_is_shipped_that_is_never_checked_against_the_source(staged: dict[str, Path]) -> None:
    files = [*staged["event_relay"].rglob("*.pyc")]
    assert {file.name.split(".")[0] for file in files} >= {"handler", "__init__"}
    assert all(int.from_bytes(file.read_bytes()[4:8], "little") == 0b01 for file in files)


def test_the_layer_holds_every_service_that_we_call_and_no_other(layer: Path) -> None:
    data = layer / "python" / "botocore" / "data"
    assert {entry.name for entry in data.iterdir() if entry.is_dir()} == SERVICES
    assert not list((layer / "python").glob("*.dist-info"))
    make = "import boto3; [boto3.client(s, region_name='eu-central-1', aws_access_key_id='a', aws_secret_access_key='b') for s in {!r}]"
    done = run_alone(make.format(sorted(SERVICES)), layer / "python")
    assert done.returncode == 0, done.stderr


def test_the_layers_own_modules_work_without_what_was_removed(layer: Path) -> None:
    code = (
        "import pydantic, pynamodb.models, jwt, phonenumbers; from cryptography.hazmat.primitives.ciphers.aead import AESGCM; "
        "from aws_lambda_powertools import Logger, Metrics; "
        "assert phonenumbers.is_valid_number(phonenumbers.parse('+4930123456')); "
        "AESGCM(AESGCM.generate_key(256)).encrypt(b'0' * 12, b'x', b''); "
        "import liquid; assert liquid.Environment().from_string('{{ a | upcase }}').render(a='x') == 'X'; "
        "assert '/python' in pydantic.__file__"
    )
    done = run_alone(code, layer / "python")
    assert done.returncode == 0, done.stderr


def test_the_deployed_layer_is_for_arm64_and_small_enough() -> None:
    folder = Packages(stage_named("prod")).layer
    libraries = [*folder.rglob("*.so")]
    assert any("pydantic_core" in str(library) for library in libraries)
    machine_of_elf = {int.from_bytes(library.read_bytes()[18:20], "little") for library in libraries}
    assert machine_of_elf == {0xB7}
    # Lambda unpacks 250 MB at most, code included.
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 80_000_000


def test_the_layer_of_images_makes_every_file_of_one_and_holds_nothing_else(images: Path) -> None:
    code = (
        "import io; from PIL import Image, ImageCms, ImageOps; s = io.BytesIO(); Image.new('RGB', (9, 9)).save(s, 'PNG'); "
        "i = Image.open(io.BytesIO(s.getvalue()), formats=['PNG']); i.save(io.BytesIO(), 'WEBP'); i.save(io.BytesIO(), 'JPEG'); "
        "ImageCms.createProfile('sRGB'); assert '/python' in Image.__file__"
    )
    done = run_alone(code, images / "python")
    assert done.returncode == 0, done.stderr
    assert {entry.name for entry in (images / "python").iterdir()} == {"PIL", "pillow.libs"}


def test_the_layer_of_columns_reads_a_snapshot_and_holds_nothing_else(staged: dict[str, Path], layer: Path, columns: Path) -> None:
    code = (
        "import numpy; from shared.snapshots import merging; from shared.snapshots.building import Builder; "
        "from shared.snapshots.columns import Columns; from shared.snapshots.container import Container; "
        "b = Builder(); b.add_gone('m1'); assert len(Columns.decode(Container(b.columns().encode({})))) == 1; "
        "assert '/python' in numpy.__file__"
    )
    done = run_alone(code, layer / "python", columns / "python", staged["segment_snapshots"])
    assert done.returncode == 0, done.stderr
    assert {entry.name for entry in (columns / "python").iterdir()} == {"numpy", "numpy.libs"}
    assert not list((columns / "python").rglob("tests"))


@pytest.mark.parametrize("file", ["requirements-media.txt", "requirements-snapshots.txt"])
def test_the_library_of_a_layer_is_pinned_once(file: str) -> None:
    """The layer's pin is the one that tests run with."""
    (pin,) = [line for line in (ROOT / file).read_text().split("\n") if line and not line.startswith("#")]
    assert all(pin in (ROOT / f"requirements-dev.{ending}").read_text().split("\n") for ending in ("in", "txt"))


@pytest.mark.parametrize("name", ["images", "columns"])
def test_the_deployed_layers_of_single_functions_are_for_arm64(name: str) -> None:
    folder: Path = getattr(Packages(stage_named("prod")), name)
    libraries = [file for file in folder.rglob("*.so*") if file.is_file()]
    assert {int.from_bytes(library.read_bytes()[18:20], "little") for library in libraries} == {0xB7}
    # With the layer that every function has, Lambda unpacks 250 MB at most.
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < (40_000_000 if name == "images" else 80_000_000)


class TestClosure:
    """The reader of imports, on small trees."""

    @staticmethod
    def tree(root: Path, **files: str) -> Path:
        for name, text in files.items():
            path = root / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for folder in [path for path in root.rglob("*") if path.is_dir()]:
            (folder / "__init__.py").touch()
        return root / "functions" / "f" / "handler.py"

    @staticmethod
    def names(root: Path, start: Path) -> set[str]:
        return {str(file.relative_to(root)) for file in import_closure(root, start) if file.name != "__init__.py"}

    def test_imports_are_followed_wherever_they_stand(self, tmp_path: Path) -> None:
        start = self.tree(
            tmp_path,
            functions__f__handler="import os\ndef f():\n    from shared.a import one\n    import shared.b.deep\n",
            shared__a__one="from . import two\nfrom ..c import x\n",
            shared__a__two="",
            shared__a__unused="",
            shared__b__deep="import shared.d\n",
            shared__c="",
            shared__d="",
        )
        assert self.names(tmp_path, start) == {
            "functions/f/handler.py", "shared/a/one.py", "shared/a/two.py", "shared/b/deep.py", "shared/c.py", "shared/d.py",
        }

    def test_imports_for_the_type_checker_are_not_followed_but_their_alternative_is(self, tmp_path: Path) -> None:
        text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import shared.a\nelse:\n    import shared.b\n"
        start = self.tree(tmp_path, functions__f__handler=text, shared__a="", shared__b="")
        assert self.names(tmp_path, start) == {"functions/f/handler.py", "shared/b.py"}

    def test_a_cycle_ends(self, tmp_path: Path) -> None:
        start = self.tree(tmp_path, functions__f__handler="import shared.a", shared__a="import shared.b", shared__b="import shared.a")
        assert self.names(tmp_path, start) == {"functions/f/handler.py", "shared/a.py", "shared/b.py"}

    def test_data_beside_a_reached_module_is_shipped(self, tmp_path: Path) -> None:
        start = self.tree(tmp_path, functions__f__handler="import shared.a.one", shared__a__one="", shared__b__two="")
        (tmp_path / "shared" / "a" / "table.json").write_text("{}")
        (tmp_path / "shared" / "b" / "other.json").write_text("{}")
        assert self.names(tmp_path, start) == {"functions/f/handler.py", "shared/a/one.py", "shared/a/table.json"}

    def test_what_a_package_itself_imports_is_shipped(self, tmp_path: Path) -> None:
        start = self.tree(tmp_path, functions__f__handler="import shared.a.one", shared__a__one="", shared__b="")
        (tmp_path / "shared" / "a" / "__init__.py").write_text("import shared.b\n")
        assert self.names(tmp_path, start) == {"functions/f/handler.py", "shared/a/one.py", "shared/b.py"}

    def test_a_package_without_an_init_file_is_an_error(self, tmp_path: Path) -> None:
        start = self.tree(tmp_path, functions__f__handler="import shared.a.one", shared__a__one="")
        (tmp_path / "shared" / "a" / "__init__.py").unlink()
        with pytest.raises(FileNotFoundError):
            import_closure(tmp_path, start)
