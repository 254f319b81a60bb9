"""Keys of members' rights: what is hers to be deleted, erasures, objections that outlive a membership. As ``shared.storage.keys``, whose
rules hold here too.
"""

from __future__ import annotations

from typing import Final

from shared.storage.keys import Key, member, prefix, text

IDENTIFIERS: Final = "IDS"
ACCESS_PREFIX: Final = "ACCESS#"


def identifiers_of(tenant: str, member_id: str) -> Key:
    """Which identifiers lead to a member, so that they can be found from her; written with each of them."""
    return Key(member(tenant, member_id), IDENTIFIERS)


def erasure(tenant: str, member_id: str) -> Key:
    """The erasure of a member: how far it is, and then the certificate. Not in her partition: it stays."""
    return Key(f"{prefix(tenant)}ERASE#{member_id}", "ERASE")


def objection(tenant: str, channel: str, blind: str) -> Key:
    """An address or number that gets no marketing, by keyed hash."""
    return Key(f"{prefix(tenant)}SUP#{channel}#{blind}", "SUP")


def confirmation_mails(tenant: str, blind: str, day: int) -> Key:
    """How many mails an address got that ask for a confirmation, on a UTC day."""
    return Key(f"{prefix(tenant)}DOI#{blind}", f"DAY#{day}")


def access(tenant: str, member_id: str, access_id: str) -> Key:
    """A job that collects everything of a member."""
    return Key(member(tenant, member_id), f"{ACCESS_PREFIX}{text(access_id)}")
