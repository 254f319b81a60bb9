"""Every key of both tables is made here and in the modules beside it whose names begin with ``keys_``, and only there.
docs/access-patterns.md has a row for each.

Every partition key (index ones too) starts with ``T#<tenant>#``. Tenant ids have no ``#``, so the prefix of one
tenant is never a prefix of another's; IAM fences on exactly that prefix.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import quote

from shared.kernel.errors import InvalidValue
from shared.kernel.ids import check_tenant, shard_of
from shared.kernel.instants import Instant, format_rfc3339

MAX_TEXT_BYTES: Final = 128
OPERATOR: Final = "operator"
"""Reserved tenant id: the operator's own items (the list of tenants)."""
LOCAL: Final = "local"
"""Reserved tenant id: the movable clock of a local stage."""
OFFER_HEADS: Final = "HEAD#"
MEDIA_PREFIX: Final = "IMAGE#"
GATES: Final = 32
"""A campaign's gates: a claim checks one of them, so that no item is checked by every claim."""
REPORT_SHARDS: Final = 8
"""Of a campaign's counters; the queue that feeds them keeps as many orders a tenant."""


class Key(NamedTuple):
    """A primary key."""

    pk: str
    sk: str


def text(value: str) -> str:
    """Client text as part of a key: percent-encoded, at most 128 bytes, so that ``#`` and control characters are harmless."""
    encoded = quote(value, safe="-._~")
    if not 1 <= len(encoded) <= MAX_TEXT_BYTES:
        raise InvalidValue("a key takes 1 to 128 bytes of text after percent-encoding")
    return encoded


def prefix(tenant: str) -> str:
    """What every partition key of the tenant starts with."""
    return f"T#{check_tenant(tenant)}#"


def tenant_of(pk: str) -> str:
    """The tenant that a partition key belongs to: workers compare it with the event's."""
    head, tenant, _ = pk.split("#", 2)
    if head != "T":
        raise InvalidValue("not one of our partition keys")
    return tenant


def member_of(pk: str) -> str | None:
    """The member that a partition key belongs to, if it is a member's."""
    parts = pk.split("#")
    return parts[3] if len(parts) == 4 and parts[2] == "M" else None


# -- definitions, catalogue, tenants --------------------------------------------------------------------------------


def definitions(tenant: str) -> str:
    """The partition of all definitions of a tenant but its offers: one Query loads them."""
    return f"{prefix(tenant)}DEF"


def offers(tenant: str) -> str:
    """The partition of a tenant's offers: there may be many, so that only those that are asked for are read."""
    return f"{prefix(tenant)}OFFERS"


def offer_head(tenant: str, id_: str) -> Key:
    """Which versions an offer has, and when they hold."""
    return Key(offers(tenant), f"{OFFER_HEADS}{text(id_)}")


def definition(tenant: str, kind: str, id_: str, version: int) -> Key:
    """One version of a definition. Versions sort by number."""
    partition = offers(tenant) if kind == "offer" else definitions(tenant)
    return Key(partition, f"{kind.upper()}#{text(id_)}#{version:06d}")


def settings(tenant: str) -> Key:
    """The tenant's own configuration."""
    return Key(definitions(tenant), TENANT)


def stops(tenant: str) -> Key:
    """The tenant's emergency stops; they load with the definitions."""
    return Key(definitions(tenant), STOPS)


def location(tenant: str, id_: str) -> Key:
    """A location; few, so they load with the definitions."""
    return Key(definitions(tenant), f"LOCATION#{text(id_)}")


def catalogue(tenant: str) -> str:
    """The partition of all catalogue items of a tenant."""
    return f"{prefix(tenant)}CAT"


def catalogue_item(tenant: str, id_: str) -> Key:
    """One catalogue item."""
    return Key(catalogue(tenant), f"ITEM#{text(id_)}")


COMPLEMENTS = "WITH#"


def complements(tenant: str, item: str) -> Key:
    """What is often bought together with a catalogue item."""
    return Key(catalogue(tenant), f"{COMPLEMENTS}{text(item)}")


def media(tenant: str) -> str:
    """The partition of a tenant's images."""
    return f"{prefix(tenant)}MEDIA"


def medium(tenant: str, media_id: str) -> Key:
    """One image: what is known of it; its files are objects."""
    return Key(media(tenant), f"{MEDIA_PREFIX}{text(media_id)}")


def tenants() -> str:
    """The operator's list of tenants."""
    return f"T#{OPERATOR}#TENANTS"


def tenant_entry(tenant: str) -> Key:
    """The operator's entry of a tenant."""
    return Key(tenants(), f"TENANT#{check_tenant(tenant)}")


# -- members --------------------------------------------------------------------------------------------------------


def member(tenant: str, member_id: str) -> str:
    """A member's partition."""
    return f"{prefix(tenant)}M#{member_id}"


STOPS: Final = "STOPS"
TENANT: Final = "TENANT"
STATE: Final = "STATE"
HISTORY: Final = "STATE#H"
PROFILE: Final = "PROFILE"
LEDGER_PREFIX: Final = "L#"
CONSENT_PREFIX: Final = "CONSENT#"
DEVICE_PREFIX: Final = "DEVICE#"
SEGMENT_PREFIX: Final = "SEG#"
PART_PREFIX: Final = "PART#"
DELIVERY_PREFIX: Final = "DLV#"
REPORT_PREFIX: Final = "REPORT#"
BEGINNING: Final = "~begin"
"""In place of a step: the row that says that an occurrence has begun for a member. No step has such an id."""
CLAIM_PREFIX: Final = "RWD#"
INBOX_PREFIX: Final = "INBOX#"


def state(tenant: str, member_id: str) -> Key:
    """The hot state. One consistent Query ``begins_with(SK, "STATE")`` reads it with the history."""
    return Key(member(tenant, member_id), STATE)


def history(tenant: str, member_id: str) -> Key:
    """Daily cells older than the hot ones."""
    return Key(member(tenant, member_id), HISTORY)


def profile(tenant: str, member_id: str) -> Key:
    """Encrypted personal fields."""
    return Key(member(tenant, member_id), PROFILE)


def ledger(tenant: str, member_id: str, ulid: str) -> Key:
    """A ledger entry, in commit order."""
    return Key(member(tenant, member_id), f"{LEDGER_PREFIX}{ulid}")


def consent(tenant: str, member_id: str, ulid: str) -> Key:
    """A consent record, append-only."""
    return Key(member(tenant, member_id), f"{CONSENT_PREFIX}{ulid}")


def device(tenant: str, member_id: str, device_id: str) -> Key:
    """A device with its push endpoint."""
    return Key(member(tenant, member_id), f"{DEVICE_PREFIX}{device_id}")


def identifier(tenant: str, kind: str, blind: str) -> Key:
    """A proven identifier -> its member. ``blind`` is the keyed hash; the value itself is in no key."""
    return Key(f"{prefix(tenant)}ID#{kind}#{blind}", "ID")


def request(tenant: str, kind: str, source: str, natural: str) -> Key:
    """The record of a request: its existence answers every replay. A purchase's record is the transaction itself."""
    return Key(f"{prefix(tenant)}REQ#{kind}#{text(source)}#{text(natural)}", "REQ")


def job(tenant: str, job_id: str) -> Key:
    """A bulk job."""
    return Key(f"{prefix(tenant)}JOB#{job_id}", "JOB")


def job_part(tenant: str, job_id: str, part: int) -> Key:
    """The outcome of one part of a bulk job."""
    return Key(f"{prefix(tenant)}JOB#{job_id}", f"{PART_PREFIX}{part:04d}")


def export(tenant: str, export_id: str) -> Key:
    """An export of members, and how far it is."""
    return Key(f"{prefix(tenant)}EXP#{export_id}", "EXP")


# -- coupons --------------------------------------------------------------------------------------------------------


LOSS_PREFIX: Final = "LOSS#"
CODED: Final = "code_"
"""What the id of a coupon starts with that lies at its code's own key: one item a code, not two."""


def coupon(tenant: str, coupon_id: str) -> Key:
    """A coupon: owner of its own state. One of a pool lies where its code does."""
    if coupon_id.startswith(CODED):
        return code(tenant, coupon_id.removeprefix(CODED))
    return Key(f"{prefix(tenant)}CPN#{coupon_id}", "CPN")


def coupons_of(tenant: str, member_id: str) -> str:
    """GSI2 partition: a member's coupons."""
    return f"{prefix(tenant)}MC#{member_id}"


def code(tenant: str, blind: str) -> Key:
    """A printable code -> its coupon, by keyed hash; for the codes of pools and imports, the coupon itself."""
    return Key(f"{prefix(tenant)}CODE#{blind}", "CODE")


def pool(tenant: str, pool_id: str) -> Key:
    """A pool of codes: what its coupons are, and whether they still hold."""
    return Key(f"{prefix(tenant)}POOL#{pool_id}", "POOL")


def guesses(tenant: str, caller: str, minute: int) -> Key:
    """How many wrong codes a caller has sent in a minute."""
    return Key(f"{prefix(tenant)}GUESS#{text(caller)}", f"MINUTE#{minute:010d}")


def quota(tenant: str, key: str, shard: int) -> Key:
    """One shard of a quota: how often an offer (``offer:<id>``) or promotion (``promotion:<id>``) may be used in all."""
    kind, _, id_ = key.rpartition(":")
    return Key(f"{prefix(tenant)}{kind.upper()}#{text(id_)}#Q{shard:02d}", "QUOTA")


def budget(tenant: str, key: str, shard: int) -> Key:
    """One shard of a budget: points of a programme or a rule (``programme/rule``), or the value of an offer or promotion (its key,
    with ``@<location>`` for one location, ``@group:<group>`` for those of a group).
    """
    return Key(f"{prefix(tenant)}BUDGET#{text(key)}#Q{shard:02d}", "QUOTA")


def offline_losses(tenant: str, location: str) -> str:
    """The partition of a location's offline losses."""
    return f"{prefix(tenant)}LOSS#{text(location)}"


def offline_loss(tenant: str, location: str, business_date: str, reason: str) -> Key:
    """Losses of one day for one reason; they sort by day."""
    return Key(offline_losses(tenant, location), f"{LOSS_PREFIX}{business_date}#{reason}")


# -- segments, campaigns --------------------------------------------------------------------------------------------


def segment_row(tenant: str, member_id: str, segment: str, version: int) -> Key:
    """A derived listing row; no decision reads it."""
    return Key(member(tenant, member_id), f"{SEGMENT_PREFIX}{text(segment)}#{version:06d}")


def segment_listing(tenant: str, segment: str, version: int, shard: int) -> str:
    """GSI2 partition: one shard of a segment's listing."""
    return f"{prefix(tenant)}SEG#{text(segment)}#{version:06d}#{shard:02d}"


def fan_out(tenant: str, segment: str, version: int) -> Key:
    """Progress of a definition fan-out."""
    return Key(f"{prefix(tenant)}FAN#{text(segment)}#{version:06d}", "FAN")


def members_listing(tenant: str, shard: int) -> str:
    """GSI2 partition: one shard of all members of a tenant (the profile rows), for fan-out."""
    return f"{prefix(tenant)}ALL#{shard:02d}"


def campaign(tenant: str, campaign_id: str) -> Key:
    """A campaign's running state."""
    return Key(f"{prefix(tenant)}CAMP#{text(campaign_id)}", "CAMP")


def gate(tenant: str, campaign_id: str, number: int) -> Key:
    """One of a campaign's gates."""
    return Key(f"{prefix(tenant)}CAMP#{text(campaign_id)}", f"GATE#{number:02d}")


def gate_of(member_id: str) -> int:
    """The gate that claims for a member check."""
    return shard_of(member_id, GATES)


def claim(tenant: str, member_id: str, claim_id: str) -> Key:
    """A reward that a member claimed; they sort by time."""
    return Key(member(tenant, member_id), f"{CLAIM_PREFIX}{text(claim_id)}")


def inbox(tenant: str, member_id: str, message_id: str) -> Key:
    """A message in the app's inbox; they sort by time."""
    return Key(member(tenant, member_id), f"{INBOX_PREFIX}{text(message_id)}")


def delivery(tenant: str, member_id: str, campaign_id: str, step: str, occurrence: str, channel: str) -> Key:
    """At most one delivery per campaign, step, occurrence, member and channel: the key is the promise."""
    return Key(member(tenant, member_id), f"{DELIVERY_PREFIX}{text(campaign_id)}#{text(step)}#{text(occurrence)}#{channel}")


def deliveries_to_check(tenant: str, campaign_id: str) -> str:
    """GSI2 partition: deliveries of a campaign that a person must act on (unknown, failed)."""
    return f"{prefix(tenant)}DLVX#{text(campaign_id)}"


def begun(campaign_id: str) -> str:
    """What the sort keys of a member's beginnings of a campaign start with."""
    return f"{DELIVERY_PREFIX}{text(campaign_id)}#{BEGINNING}#"


def throttle(tenant: str, name: str) -> Key:
    """How fast a credential or campaign (``name``) may send."""
    return Key(f"{prefix(tenant)}THROTTLE#{text(name)}", "THROTTLE")


def report(tenant: str, campaign_id: str, shard: int) -> Key:
    """One shard of a campaign's counters, with how far the queue of that shard is counted."""
    return Key(f"{prefix(tenant)}CAMP#{text(campaign_id)}", f"{REPORT_PREFIX}{shard:02d}")


def report_shard(member_id: str) -> int:
    """The shard that a member's deliveries are counted in."""
    return shard_of(member_id, REPORT_SHARDS)


# -- snapshots ------------------------------------------------------------------------------------------------------

MARK_PREFIX: Final = "MARK#"


def snapshot(tenant: str) -> str:
    """The partition of a tenant's snapshot: its manifest, a rebuild's progress, marks of what has changed."""
    return f"{prefix(tenant)}SNAP"


def snapshot_manifest(tenant: str) -> Key:
    """Which objects the snapshot is made of."""
    return Key(snapshot(tenant), "MANIFEST")


def snapshot_build(tenant: str) -> Key:
    """How far a rebuild is."""
    return Key(snapshot(tenant), "BUILD")


def snapshot_mark(tenant: str, ulid: str) -> Key:
    """Members that have changed; marks sort by time."""
    return Key(snapshot(tenant), f"{MARK_PREFIX}{ulid}")


# -- timers, local stage --------------------------------------------------------------------------------------------


def due(tenant: str, shard: int) -> str:
    """GSI1 partition: aggregates of a tenant with something falling due."""
    return f"{prefix(tenant)}DUE#{shard:02d}"


def due_at(instant: Instant, aggregate: str) -> str:
    """GSI1 sort key: sorts by instant. ``aggregate`` says what to wake, as ``M#mbr_...`` or ``CAMP#...``."""
    return f"{format_rfc3339(instant - instant % 1000)}#{aggregate}"


def due_until(instant: Instant) -> str:
    """The upper bound (exclusive of later seconds) for everything due by the instant."""
    return f"{format_rfc3339(instant - instant % 1000)}#~"


def clock() -> Key:
    """The movable clock of a local stage."""
    return Key(f"T#{LOCAL}#CLOCK", "CLOCK")


# -- the second table -----------------------------------------------------------------------------------------------


def member_key(tenant: str, member_id: str) -> Key:
    """A member's wrapped data key (table ``keys``). Deleting it is the erasure."""
    return Key(member(tenant, member_id), "KEY")


def tenant_keyring(tenant: str) -> Key:
    """The tenant's wrapped keys (table ``keys``)."""
    return Key(f"{prefix(tenant)}KEYRING", "KEYRING")
