"""Keys of what credentials are made of: API keys, signing keys, members' sessions, one-time codes.

The rules of ``shared.storage.keys`` hold here too.
"""

from __future__ import annotations

from typing import Final

from shared.kernel.ids import check_tenant
from shared.storage.keys import OPERATOR, Key, member, prefix, text

API_KEY_PREFIX: Final = "KEY#"
SESSION_PREFIX: Final = "SESSION#"


def api_keys(tenant: str) -> str:
    """The partition of all API keys of a tenant: one Query lists them."""
    return f"{prefix(tenant)}KEYS"


def api_key(tenant: str, key_id: str) -> Key:
    """An API key, found from the key id alone, because the id starts with the tenant."""
    return Key(api_keys(tenant), f"{API_KEY_PREFIX}{text(key_id)}")


def signing() -> Key:
    """Which generations of the key that signs members' tokens there are: one item of the operator for all."""
    return Key(f"T#{OPERATOR}#SIGNING", "SIGNING")


def session(tenant: str, member_id: str, family: str) -> Key:
    """A member's session on one device: one family of refresh tokens."""
    return Key(member(tenant, member_id), f"{SESSION_PREFIX}{text(family)}")


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
