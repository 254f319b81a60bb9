"""What is read one by one is kept for the cache time, misses too, and no more of it than the bound."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from shared.definitions import cache
from shared.definitions.cache import DefinitionCache
from shared.tenants.model import CatalogueItem


class Shelf:
    """A repository that counts what is asked of it."""

    def __init__(self, tenant: str, *there: str) -> None:
        self.tenant = tenant
        self.there = set(there)
        self.reads: list[list[str]] = []

    def items(self, ids: Iterable[str]) -> dict[str, CatalogueItem]:
        """As ``DefinitionRepository.items``."""
        self.reads.append(sorted(ids))
        return {id_: CatalogueItem(id=id_, name=id_) for id_ in self.there.intersection(ids)}


class Watch:
    """Seconds that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def ask(kept: DefinitionCache, shelf: Shelf, *ids: str) -> list[str]:
    return sorted(kept.items(shelf, ids))  # type: ignore[arg-type]


def test_what_was_read_is_not_read_again_before_its_time() -> None:
    watch, shelf = Watch(), Shelf("demo", "a", "b")
    kept = DefinitionCache(60, watch)
    assert ask(kept, shelf, "a", "missing") == ["a"]
    watch.now = 59.9
    assert ask(kept, shelf, "a", "b", "missing") == ["a", "b"]
    watch.now = 60
    assert ask(kept, shelf, "a", "b") == ["a", "b"]
    assert shelf.reads == [["a", "missing"], ["b"], ["a"]]


def test_nothing_is_asked_for_nothing() -> None:
    shelf = Shelf("demo")
    assert ask(DefinitionCache(60, Watch()), shelf) == []
    assert shelf.reads == []


def test_tenants_do_not_see_what_others_have_read() -> None:
    kept, ours, theirs = DefinitionCache(60, Watch()), Shelf("demo", "a"), Shelf("other")
    assert (ask(kept, ours, "a"), ask(kept, theirs, "a")) == (["a"], [])


def test_what_is_unused_longest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_ITEMS", 2)
    kept, shelf = DefinitionCache(60, Watch()), Shelf("demo", "a", "b", "c")
    for id_ in ("a", "b", "a", "c", "a", "b"):
        ask(kept, shelf, id_)
    assert shelf.reads == [["a"], ["b"], ["c"], ["b"]]
