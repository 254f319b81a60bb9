"""The catalogue of events names everything that the code tells, and its samples fit its schemas."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from local.events import documents, strays
from shared.relay.catalogue import CATALOGUE, envelope_schema, schema_of
from shared.relay.samples import sample_of

ROOT = Path(__file__).resolve().parents[3]
_TYPE = re.compile(r"[a-z_]+\.[a-z_]+")


def told() -> Iterator[tuple[str, str]]:
    """Every literal type that ``tell(...)`` or ``DomainEvent(...)`` is called with, and where."""
    for file in sorted((ROOT / "shared").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            first = node.args[0]
            if name in ("tell", "DomainEvent") and isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value, f"{file.name}:{node.lineno}"


def test_every_type_that_is_told_is_in_the_catalogue() -> None:
    found = dict(told())
    assert len(found) >= 15
    assert {type_: where for type_, where in found.items() if type_ not in CATALOGUE} == {}


@pytest.mark.parametrize("type_", CATALOGUE)
def test_a_sample_fits_its_schema(type_: str) -> None:
    event = CATALOGUE[type_]
    sample = sample_of(event)
    jsonschema.Draft202012Validator(envelope_schema()).validate(sample)
    validator = jsonschema.Draft202012Validator(schema_of(event))
    validator.validate(sample["events"][0])
    assert not validator.is_valid(sample["events"][0] | {"type": "something.else"})
    assert event.pattern is not None or _TYPE.fullmatch(type_)


def test_the_committed_files_are_those_of_the_catalogue() -> None:
    differing = [str(path) for path, text in documents().items() if (ROOT / path).read_text(encoding="utf-8") != text]
    assert differing == []
    assert strays(ROOT) == []
