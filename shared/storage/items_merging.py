"""Items of merges. As ``shared.storage.items``."""

from __future__ import annotations

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute

from shared.storage.items import Item


class MergeItem(Item):
    """A merge. ``status`` accepted, completed; ``revision`` grows with every write."""

    status = UnicodeAttribute()
    revision = NumberAttribute()
    body = BinaryAttribute(legacy_encoding=False, attr_name="d")
