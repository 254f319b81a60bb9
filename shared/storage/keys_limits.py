"""Keys of what calls are counted by. The rules of ``shared.storage.keys`` hold here too."""

from __future__ import annotations

from shared.storage.keys import Key, prefix, text


def rate(tenant: str, policy: str, subject: str = "-") -> Key:
    """The bucket of a policy: of a tenant (``tenant``), one of its credentials (``credential``), or of its guests (``public``)."""
    return Key(f"{prefix(tenant)}RATE#{policy}#{text(subject)}", "RATE")


def lookups(tenant: str, credential: str, hour: int) -> Key:
    """How many members a credential has looked for in an hour: misses, and different members found."""
    return Key(f"{prefix(tenant)}LOOKUPS#{text(credential)}", f"HOUR#{hour:08d}")


def exports(tenant: str, day: int) -> Key:
    """How many exports of members a tenant has ordered on a day."""
    return Key(f"{prefix(tenant)}EXPORTS#{day:06d}", "EXPORTS")
