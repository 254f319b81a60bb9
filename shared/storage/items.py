"""The shape of every stored item, as pynamodb models used as codecs: ``serialize`` and ``from_raw_data``, never ``save`` or ``get``.

Attribute names that stand on every purchase are short, because their bytes are paid for. Bodies are packed JSON
(``shared.storage.packing``); only what keys, conditions, filters and people need is a plain attribute.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Self

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.models import Model

from shared.storage.errors import RawItem
from shared.storage.keys import Key


@cache
def _names(model: type[Model]) -> frozenset[str]:
    """The stored names of a model's attributes."""
    return frozenset(attribute.attr_name for attribute in model.get_attributes().values() if attribute.attr_name is not None)


@cache
def _columns(model: type[Model]) -> dict[str, tuple[str, str]]:
    """Python name of an attribute -> its stored name and DynamoDB type."""
    return {name: (attribute.attr_name, attribute.attr_type) for name, attribute in model.get_attributes().items()}


def _binary(**options: Any) -> BinaryAttribute:
    return BinaryAttribute(legacy_encoding=False, **options)


class Item(Model):
    """Keys that every item may have. Index keys are sparse: an item without them is in no index."""

    class Meta:
        table_name = "unused: the table is named by shared.storage.table"

    PK = UnicodeAttribute(hash_key=True)
    SK = UnicodeAttribute(range_key=True)
    GSI1PK = UnicodeAttribute(null=True)
    GSI1SK = UnicodeAttribute(null=True)
    GSI2PK = UnicodeAttribute(null=True)
    GSI2SK = UnicodeAttribute(null=True)
    expires_at = NumberAttribute(null=True)
    """Seconds; only for cleaning up. Nothing is decided by it."""
    out = UnicodeAttribute(null=True)
    """The events of the commit that wrote this item, as JSON. On exactly one item of a commit."""

    @classmethod
    def at(cls, key: Key, **values: Any) -> Self:
        """An item with that key."""
        return cls(PK=key.pk, SK=key.sk, **values)

    @classmethod
    def raw(cls, key: Key, **values: str | int | bytes | bool | None) -> RawItem:
        """An item encoded at once, without making a model first: a fifth of the CPU, for the items of every purchase.

        Defaults are not applied; ``None`` is left out.
        """
        encoded: RawItem = {"PK": {"S": key.pk}, "SK": {"S": key.sk}}
        attributes = _columns(cls)
        for name, value in values.items():
            if value is not None:
                stored, kind = attributes[name]
                encoded[stored] = {kind: str(value) if kind == "N" else value}
        return encoded

    @classmethod
    def read(cls, raw: RawItem) -> Self:
        """The item in the low-level form that DynamoDB answers. Attributes of newer versions are ignored."""
        names = _names(cls)
        return cls.from_raw_data({name: value for name, value in raw.items() if name in names})

    @classmethod
    def values(cls, raw: RawItem) -> dict[str, Any]:
        """The attributes by their Python names, without making a model: the counterpart of ``raw``. Numbers are integers."""
        found: dict[str, Any] = {}
        for name, (stored, kind) in _columns(cls).items():
            if stored in raw:
                value = raw[stored][kind]
                found[name] = int(value) if kind == "N" else value
        return found

    @property
    def key(self) -> Key:
        """The primary key."""
        return Key(self.PK, self.SK)


class StateItem(Item):
    """A member's hot state; ``version`` is what every commit is conditional on."""

    version = NumberAttribute()
    status = UnicodeAttribute()
    body = _binary(attr_name="d")
    facts = _binary(attr_name="f", null=True)
    """Personal facts, sealed under the member's key; opened only when a definition asks."""
    history_version = NumberAttribute(attr_name="hv", default=0)
    """Which STATE#H belongs to it; a reader that holds an older one reads again."""


class HistoryItem(Item):
    """A member's older daily cells."""

    history_version = NumberAttribute(attr_name="hv")
    body = _binary(attr_name="d")


class ProfileItem(Item):
    """Personal fields, sealed. GSI2 lists all members of a tenant."""

    version = NumberAttribute()
    body = _binary(attr_name="d")


class IdentifierItem(Item):
    """A proven identifier -> member. ``blocked``: since when (milliseconds) nobody is found by it; it stays hers."""

    member = UnicodeAttribute()
    kind = UnicodeAttribute()
    blocked = NumberAttribute(null=True)


class LedgerItem(Item):
    """One ledger entry: kind, postings, reference, both times. Immutable."""

    kind = UnicodeAttribute(attr_name="k")
    body = _binary(attr_name="d")


class RequestItem(Item):
    """The record of a request: body hash, stored answer, and for a sale the basket and the decision."""

    hash = _binary(attr_name="h")
    body = _binary(attr_name="d")
    version = NumberAttribute(attr_name="v", default=1)
    status = UnicodeAttribute(attr_name="s", null=True)
    """A sale: awaited (only its returns have arrived), recorded, partly_returned, returned, voided. A return: waiting, settled, refused.
    A hold: how it ended."""
    member = UnicodeAttribute(attr_name="m", null=True)
    returned = _binary(attr_name="r", null=True)
    """A sale: what has come back of it so far."""
    waiting = _binary(attr_name="w", null=True)
    """A sale: the returns that arrived before it and are not settled yet."""
    review = UnicodeAttribute(attr_name="rv", null=True)
    """A flagged sale: pending, approved, rejected; when time approves it (milliseconds), and who decided, why and when."""
    review_until = NumberAttribute(attr_name="ru", null=True)
    reviewed = _binary(attr_name="rb", null=True)


class CouponItem(Item):
    """A coupon. Its conditions: see shared.coupons.repository."""

    offer = UnicodeAttribute()
    offer_version = NumberAttribute()
    state = UnicodeAttribute()
    member = UnicodeAttribute(null=True)
    active_from = NumberAttribute()
    coupon_expires_at = NumberAttribute()
    hold_until = NumberAttribute(null=True)
    hold_basket = UnicodeAttribute(null=True)
    redeemed_basket = UnicodeAttribute(null=True)
    left = NumberAttribute(null=True)
    """Of a voucher that was used in part: what is left on it, minor units."""
    version = NumberAttribute()
    body = _binary(attr_name="d")


class ClaimItem(Item):
    """A reward that a member claimed."""

    state = UnicodeAttribute()
    version = NumberAttribute()
    body = _binary(attr_name="d")


class InboxItem(Item):
    """A message in a member's inbox. The texts are sealed with her key; ids and ``read_at`` are not."""

    delivery = UnicodeAttribute()
    campaign = UnicodeAttribute()
    step = UnicodeAttribute()
    sent_at = NumberAttribute()
    read_at = NumberAttribute(null=True)
    body = _binary(attr_name="d")


class CodeItem(Item):
    """A printable code -> coupon."""

    coupon = UnicodeAttribute()


class PoolItem(Item):
    """A pool of codes. ``status`` active or void."""

    status = UnicodeAttribute()
    version = NumberAttribute()
    body = _binary(attr_name="d")


class GuessItem(Item):
    """Wrong codes of a caller in one minute."""

    wrong = NumberAttribute()


class QuotaItem(Item):
    """One shard of an offer's quota."""

    used = NumberAttribute()
    share = NumberAttribute()


class OfflineLossItem(Item):
    """Offline losses of a location on one business date, for one reason. ``unpriced``: how many of them have no amount."""

    number = NumberAttribute()
    amount = NumberAttribute()
    unpriced = NumberAttribute()


class ConsentItem(Item):
    """One consent given or withdrawn: purpose, channel, document version, source, actor."""

    body = _binary(attr_name="d")


class DeviceItem(Item):
    """A device that takes push messages. The token itself is only in SNS."""

    platform = UnicodeAttribute()
    endpoint = UnicodeAttribute(null=True)
    status = UnicodeAttribute()
    registered_at = NumberAttribute()


class DefinitionItem(Item):
    """One version of a definition. ``status`` draft, published or retired."""

    kind = UnicodeAttribute()
    definition_id = UnicodeAttribute()
    version = NumberAttribute()
    status = UnicodeAttribute()
    effective_from = NumberAttribute(null=True)
    retired_from = NumberAttribute(null=True)
    revision = NumberAttribute()
    """Grows with every write of this version; the ETag is made of version and revision."""
    changed_at = NumberAttribute()
    epoch = NumberAttribute(default=0)
    retired_epoch = NumberAttribute(default=0)
    served_at = NumberAttribute(null=True)
    published_by = UnicodeAttribute(null=True)
    approved_by = UnicodeAttribute(null=True)
    wanted_from = NumberAttribute(null=True)
    body = _binary(attr_name="d")


class SettingsItem(Item):
    """A tenant's configuration, or a location, or a catalogue item."""

    version = NumberAttribute()
    status = UnicodeAttribute(null=True)
    body = _binary(attr_name="d")


class MediaItem(Item):
    """An image. ``status`` making (its files are being stored), ready, deleting."""

    status = UnicodeAttribute()
    body = _binary(attr_name="d")


class TenantEntryItem(Item):
    """The operator's entry of a tenant; workers walk these."""

    tenant = UnicodeAttribute()
    status = UnicodeAttribute()
    due_shards = NumberAttribute()
    rates = UnicodeAttribute(null=True)
    """What its plan lets through a second (``shared.limits.plans.TenantRates``): the authorizer reads this item anyway."""
    settings_version = NumberAttribute(null=True)
    """Of the settings whose status and rates these are."""
    test_tenant = UnicodeAttribute(null=True)
    """Of a live tenant: its test environment; ``test_number``: how many it has had."""
    test_number = NumberAttribute(null=True)


class JobItem(Item):
    """A bulk job: how many parts and records."""

    kind = UnicodeAttribute()
    parts = NumberAttribute()
    records = NumberAttribute()
    created_at = NumberAttribute()


class JobPartItem(Item):
    """What became of one part: counts, and each refused record."""

    body = _binary(attr_name="d")


class ExportItem(Item):
    """An export of members: what is asked for, and how far it is. ``revision`` grows with every write."""

    revision = NumberAttribute()
    body = _binary(attr_name="d")


class SegmentRowItem(Item):
    """A derived listing row. ``member_version`` orders deliveries; a row of one who left stays, outside the index."""

    member = UnicodeAttribute()
    member_version = NumberAttribute()
    inside = BooleanAttribute()
    entered_at = NumberAttribute(null=True)


class FanOutItem(Item):
    """Progress of a definition fan-out. ``needed``: how many members must be looked at, where that was counted first."""

    cursors = UnicodeAttribute()
    status = UnicodeAttribute()
    done = NumberAttribute()
    needed = NumberAttribute(null=True)
    epoch = NumberAttribute()


class SnapshotItem(Item):
    """The manifest of a tenant's snapshot, or a rebuild's progress. ``generation`` grows with every write."""

    generation = NumberAttribute()
    body = _binary(attr_name="d")


class SnapshotMarkItem(Item):
    """Members that have changed since some generation of the snapshot."""

    body = _binary(attr_name="d")


class CampaignItem(Item):
    """A campaign's running state."""

    state = UnicodeAttribute()
    version = NumberAttribute()
    revision = NumberAttribute()
    body = _binary(attr_name="d")


class GateItem(Item):
    """A gate of a campaign: claims commit only while it is open. ``revision`` is that of the change that moved it last."""

    open = BooleanAttribute()
    revision = NumberAttribute(null=True)


class DeliveryItem(Item):
    """One message to one member over one channel. ``state`` claimed, waiting, sent, failed, unknown, held_out, suppressed; deferred and
    done (channel ``-``). ``seq`` numbers its changes; ``results`` is what came of it, packed (shared.campaigns.deliveries).
    """

    campaign = UnicodeAttribute()
    campaign_version = NumberAttribute()
    step = UnicodeAttribute()
    channel = UnicodeAttribute()
    member = UnicodeAttribute()
    state = UnicodeAttribute()
    claimed_at = NumberAttribute()
    coupon = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    settled_at = NumberAttribute(null=True)
    variant = UnicodeAttribute(null=True)
    language = UnicodeAttribute(null=True)
    rung = NumberAttribute(null=True)
    data = _binary(attr_name="d", null=True)
    seq = NumberAttribute()
    results = _binary(attr_name="r", null=True)


class ReportItem(Item):
    """One shard of a campaign's report: its cells, and the number of the last message that is in them."""

    applied = UnicodeAttribute()
    body = _binary(attr_name="b")


class ThrottleItem(Item):
    """From when the next message may go: of one credential, or of one campaign."""

    next_at = NumberAttribute()


class WrappedKeyItem(Item):
    """A member's data key, wrapped by the tenant's (table ``keys``)."""

    wrapped = _binary()


class KeyringItem(Item):
    """A tenant's keys, wrapped by KMS (table ``keys``)."""

    kek = _binary()
    index_key = _binary()


class ClockItem(Item):
    """How far a local stage's clock is moved, in milliseconds."""

    offset = NumberAttribute()
