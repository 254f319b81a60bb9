"""Items of what is noted of calls. As ``shared.storage.items``.

An entry's and a seal's body is its canonical text (docs/audit.md): the very bytes that are hashed, readable by people.
"""

from __future__ import annotations

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute

from shared.storage.items import Item


class AuditEntryItem(Item):
    """Who did what. Put once with the change that it tells of, never written again."""

    body = UnicodeAttribute()


class AuditSealItem(Item):
    """One seal and its leaves: of each entry the 16 bytes of its id and the 32 of its hash."""

    body = UnicodeAttribute()
    leaves = BinaryAttribute(legacy_encoding=False)


class AuditHeadItem(Item):
    """The last seal's number and hash, which of them the bucket has for certain, until when (milliseconds) entries were looked for."""

    sequence = NumberAttribute()
    hash = UnicodeAttribute()
    locked = NumberAttribute()
    looked = NumberAttribute()
