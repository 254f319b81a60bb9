"""Items of what credentials are made of. As ``shared.storage.items``; no item holds a secret, only keyed hashes of them."""

from __future__ import annotations

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute

from shared.storage.items import Item


class ApiKeyItem(Item):
    """An API key: digests of its secrets, scopes, location. ``previous`` is the secret that was replaced last and holds until
    ``previous_until``; ``generation`` counts the secrets. Days of last use are ISO dates, UTC.
    """

    digest = BinaryAttribute(legacy_encoding=False)
    scopes = UnicodeAttribute()
    status = UnicodeAttribute()
    location = UnicodeAttribute(null=True)
    location_group = UnicodeAttribute(null=True)
    label = UnicodeAttribute(null=True)
    created_at = NumberAttribute()
    ends_at = NumberAttribute(null=True)
    generation = NumberAttribute(default=1)
    rotated_at = NumberAttribute(null=True)
    last_used_on = UnicodeAttribute(null=True)
    previous = BinaryAttribute(legacy_encoding=False, null=True)
    previous_until = NumberAttribute(null=True)
    previous_used_on = UnicodeAttribute(null=True)


class StaffItem(Item):
    """One of a tenant's staff: group, status, place. ``revision`` counts the changes; tokens from ``not_before`` or earlier are over."""

    group = UnicodeAttribute()
    status = UnicodeAttribute()
    location = UnicodeAttribute(null=True)
    location_group = UnicodeAttribute(null=True)
    label = UnicodeAttribute(null=True)
    invited_at = NumberAttribute()
    invited_by = UnicodeAttribute()
    not_before = NumberAttribute(null=True)
    revision = NumberAttribute()


class OwnersItem(Item):
    """Ids of the staff who are owners everywhere, with spaces between them, and how many staff there are in all."""

    owners = UnicodeAttribute()
    number = NumberAttribute()
    version = NumberAttribute()


class NoticeItem(Item):
    """A notice of Apple's that was dealt with; it runs out."""


class SigningItem(Item):
    """The newest generation of the key that signs members' tokens, and from when on (milliseconds) it signs."""

    generation = NumberAttribute()
    since = NumberAttribute()


class SessionItem(Item):
    """A member's session: a family of refresh tokens. Digests of the newest token's secret and of the one before; ``ended`` says why
    no token of the family holds any more.
    """

    digest = BinaryAttribute(legacy_encoding=False)
    previous = BinaryAttribute(legacy_encoding=False, null=True)
    generation = NumberAttribute()
    created_at = NumberAttribute()
    rotated_at = NumberAttribute()
    ended = UnicodeAttribute(null=True)


class OneTimeCodeItem(Item):
    """The code that was last sent to a number or address: its keyed hash, gone once it was used. ``sends`` of the UTC day ``day``."""

    digest = BinaryAttribute(legacy_encoding=False, null=True)
    tries = NumberAttribute()
    sent_at = NumberAttribute()
    day = NumberAttribute()
    sends = NumberAttribute()


class CodesSentItem(Item):
    """One shard of how many codes a tenant has sent on a day."""

    sends = NumberAttribute()


class RemovalItem(Item):
    """A tenant's removal: how far it is, and at the end its certificate. ``revision`` counts its steps."""

    revision = NumberAttribute()
    status = UnicodeAttribute()
    body = BinaryAttribute(attr_name="d", legacy_encoding=False)
