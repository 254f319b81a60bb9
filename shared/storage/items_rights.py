"""Items of members' rights. As ``shared.storage.items``."""

from __future__ import annotations

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute, UnicodeSetAttribute

from shared.storage.items import Item


class HeldIdentifiersItem(Item):
    """Identifiers that lead to the member, each as ``kind:blind``."""

    ids = UnicodeSetAttribute()


class ErasureItem(Item):
    """An erasure. ``status`` accepted, completed; ``revision`` grows with every write."""

    status = UnicodeAttribute()
    revision = NumberAttribute()
    body = BinaryAttribute(legacy_encoding=False, attr_name="d")


class ObjectionItem(Item):
    """An objection to marketing that outlives the membership: since when (milliseconds), and why."""

    since = NumberAttribute()
    reason = UnicodeAttribute()


class ConfirmationMailsItem(Item):
    """How many were sent."""

    sends = NumberAttribute()
    expires_at = NumberAttribute()


class AccessItem(Item):
    """A job that collects everything of a member."""

    body = BinaryAttribute(legacy_encoding=False, attr_name="d")
