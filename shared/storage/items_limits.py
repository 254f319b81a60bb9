"""Items that calls are counted by. As ``shared.storage.items``."""

from __future__ import annotations

from pynamodb.attributes import NumberAttribute

from shared.storage.items import Item


class RateItem(Item):
    """The bucket of a policy: the instant (microseconds) up to which what was paid for is worked off (``shared.limits.rules``)."""

    level = NumberAttribute()


class LookupsItem(Item):
    """What a credential has looked for in one hour."""

    missed = NumberAttribute(default=0)
    found = NumberAttribute(default=0)


class ExportsItem(Item):
    """Exports of one day."""

    made = NumberAttribute()
