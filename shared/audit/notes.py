"""From what a call is and writes to its entry: pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from shared.audit.model import KEPT, Entry, Target, text_of
from shared.kernel.instants import SECOND
from shared.storage import keys, keys_audit

if TYPE_CHECKING:
    from shared.storage.errors import RawItem

_ASIDE: Final = frozenset({"REQ", "ID"})
"""Partitions of what stands beside a change: records of requests, and identifiers by their keyed hashes."""
_NAMES: Final = {"exp": "export", "cpn": "coupon", "camp": "campaign"}
"""Kinds whose keys say it more shortly."""
_PARAMETER: Final = re.compile(r"([a-z-]+)/{(\w+)}")
_LONGEST: Final = 200


def item_of(entry: Entry) -> RawItem:
    """As it is stored. Some 400 bytes: 1 write unit, 2 in a transaction."""
    # Imported here: whoever writes has the codecs loaded by now, and a dispatcher alone needs none.
    from shared.storage.items_audit import AuditEntryItem

    key = keys_audit.entry(entry.tenant, entry.id)
    return AuditEntryItem.raw(key, body=text_of(entry), expires_at=(entry.at + KEPT) // SECOND)


def target_of(template: str, path: Mapping[str, str], caller: str | None, written: Sequence[tuple[str, str]]) -> Target | None:
    """What the last part of the path names, ``/v1/offers/{definition_id}``; else what is written first. ``caller``: a member's own call.

    >>> target_of("/v1/offers/{definition_id}/publish", {"definition_id": "summer"}, None, ())
    Target(kind='offer', id='summer')
    >>> target_of("/v1/keys", {}, None, [("T#demo#KEYS", "KEY#demo.1")])
    Target(kind='key', id='demo.1')
    """
    named = _PARAMETER.findall(template)
    of_a_tenant = len(named) == 1 and "{tenant_id}/" in template and len(written) > 0
    if named and not of_a_tenant:
        plural, name = named[-1]
        return Target(plural if plural.endswith("ss") else plural.removesuffix("s"), path[name][:_LONGEST])
    if caller is not None:
        return Target("member", caller)
    return next((_named_by(pk, sk) for pk, sk in written if pk.split("#")[2] not in _ASIDE), None)


def _named_by(pk: str, sk: str) -> Target:
    """What an item's key says: of a member, ``T#demo#JOB#job_1``, or ``OFFER#summer#000001``."""
    member = keys.member_of(pk)
    if member is not None:
        return Target("member", member)
    _, _, kind, *rest = pk.split("#")
    if not rest:
        kind, *rest = sk.split("#")
    return Target(_NAMES.get(kind.lower(), kind.lower()), rest[0] if rest else None)


def member_of(path: Mapping[str, str], caller: str | None, written: Sequence[tuple[str, str]]) -> str | None:
    """The member that a call is about: in the path, or who calls, or whose items are written."""
    known = path.get("member_id") or caller
    return known or next((found for pk, _ in written if (found := keys.member_of(pk)) is not None), None)
