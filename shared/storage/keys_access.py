"""Keys of what credentials are made of: API keys, signing keys, members' sessions, one-time codes.

The rules of ``shared.storage.keys`` hold here too.
"""

from __future__ import annotations

from typing import Final

from shared.kernel.ids import check_tenant
from shared.storage.keys import OPERATOR, Key, definitions, member, prefix, tenant_keyring, text

API_KEY_PREFIX: Final = "KEY#"
SESSION_PREFIX: Final = "SESSION#"
STAFF_PREFIX: Final = "STAFF#"
GROUPS: Final = "GROUPS"


def api_keys(tenant: str) -> str:
    """The partition of all API keys of a tenant: one Query lists them."""
    return f"{prefix(tenant)}KEYS"


def api_key(tenant: str, key_id: str) -> Key:
    """An API key, found from the key id alone, because the id starts with the tenant."""
    return Key(api_keys(tenant), f"{API_KEY_PREFIX}{text(key_id)}")


def staff(tenant: str, staff_id: str) -> Key:
    """One of a tenant's staff. Beside its API keys, because the authorizer may read that partition of every tenant."""
    return Key(api_keys(tenant), f"{STAFF_PREFIX}{text(staff_id)}")


def staff_owners(tenant: str) -> Key:
    """Which of the staff are owners: every change of these goes through this item, so that the last cannot be lost."""
    return Key(api_keys(tenant), "OWNERS")


def location_groups(tenant: str) -> Key:
    """The tenant's groups of locations: one item, so that they change together; it loads with the definitions."""
    return Key(definitions(tenant), GROUPS)


def signing() -> Key:
    """Which generations of the key that signs members' tokens there are: one item of the operator for all."""
    return Key(f"T#{OPERATOR}#SIGNING", "SIGNING")


def session(tenant: str, member_id: str, family: str) -> Key:
    """A member's session on one device: one family of refresh tokens."""
    return Key(member(tenant, member_id), f"{SESSION_PREFIX}{text(family)}")


def apple_client(tenant: str) -> Key:
    """The tenant's key as a client of Apple's, sealed (table ``keys``)."""
    return Key(tenant_keyring(tenant).pk, "APPLE")


def apple_token(tenant: str, member_id: str) -> Key:
    """What Apple gave for a member's authorization code, sealed under her own key and beside it (table ``keys``)."""
    return Key(member(tenant, member_id), "APPLE")


def apple_notice(tenant: str, blind: str) -> Key:
    """A notice of Apple's that was dealt with. ``blind`` is the keyed hash of its id."""
    return Key(f"{prefix(tenant)}NOTICE#{blind}", "NOTICE")


def one_time_code(tenant: str, kind: str, blind: str) -> Key:
    """The code that was last sent to a number or address. ``blind`` is the keyed hash of it."""
    return Key(f"{prefix(tenant)}OTP#{kind}#{blind}", "OTP")


def one_time_codes_sent(tenant: str, day: int, shard: int) -> Key:
    """How many codes a tenant has sent on a day: one shard of the count."""
    return Key(f"{prefix(tenant)}OTPS#{day:06d}#{shard:02d}", "OTPS")


def removals() -> str:
    """The operator's list of tenants that are being removed, and of those that were."""
    return f"T#{OPERATOR}#REMOVALS"


def removal(tenant: str) -> Key:
    """How far a tenant's removal is; afterwards its certificate."""
    return Key(removals(), f"REMOVAL#{check_tenant(tenant)}")
