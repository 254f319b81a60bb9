"""Items of the counter. As ``shared.storage.items``."""

from __future__ import annotations

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute

from shared.storage.items import Item


class ConfirmationItem(Item):
    """A confirmation of spending: up to how much, where, until when; asked, confirmed, refused or used."""

    state = UnicodeAttribute()
    way = UnicodeAttribute()
    location = UnicodeAttribute()
    points = NumberAttribute()
    value = NumberAttribute()
    until = NumberAttribute()
    """Milliseconds."""
    caller = UnicodeAttribute()
    """The credential that asked."""
    body = BinaryAttribute(legacy_encoding=False, attr_name="d", null=True)
    """The sealed name of the one-time code that was sent."""
    used_for = UnicodeAttribute(null=True)


class CountItem(Item):
    """How often, and with which sum. ``told`` once the alert of the day has been given; ``revision`` counts the envelopes."""

    number = NumberAttribute(default=0)
    sum = NumberAttribute(default=0)
    rule = UnicodeAttribute()
    location = UnicodeAttribute()
    cashier = UnicodeAttribute()
    revision = NumberAttribute(default=0)
    told = NumberAttribute(null=True)
