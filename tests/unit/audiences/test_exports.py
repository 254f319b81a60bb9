"""An export as it is kept."""

from __future__ import annotations

from typing import Any

import pytest

from shared.audiences.model import ABANDONED, Export, export_of
from shared.storage.packing import pack, unpack


def export(**more: Any) -> Export:
    return Export("exp_1", "csv", ("a", "b"), {"kind": "bucket"}, personal=False, as_of=5, **more)


def test_it_is_read_back_as_it_was_written() -> None:
    kept = export(parts=["x", "y"], after="mbr_1", rest="r", rows=7, segment="s", version=2, revision=9)
    assert export_of(9, unpack(pack(kept.body()))) == kept


@pytest.mark.parametrize("status", ["queued", "running"])
def test_what_nobody_works_on_has_failed(status: Any) -> None:
    kept = export(status=status, touched_at=100)
    assert kept.shown_status(100 + ABANDONED - 1) == (status, None)
    assert kept.shown_status(100 + ABANDONED) == ("failed", "abandoned")
    assert export(status="done", touched_at=0).shown_status(10**15) == ("done", None)


def test_beginning_again_forgets_what_was_written() -> None:
    kept = export(parts=["x"], upload="u", after="mbr_1", rest="r", rows=7, left_out=1, written=True)
    kept.begin_again()
    assert kept == export(restarts=1)


def test_what_is_put_aside_has_another_name_each_time() -> None:
    kept = export()
    first = kept.rest_name("demo")
    kept.revision += 1
    assert first.startswith("exports/demo/exp_1.rest-")
    assert kept.rest_name("demo") != first
    assert kept.object_name("demo") == "exports/demo/exp_1.csv"
