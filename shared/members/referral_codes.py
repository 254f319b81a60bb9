"""A member's referral code, and what a friend's registration makes of it.

The code is made from the member's id by the tenant's index key, so it is the same for ever; its item is written when it is first
asked for. It is accepted at registration only; who is rewarded, and when, is decided with the friend's purchases
(``shared.transactions.referrals``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shared.coupons.issuing import derived_code
from shared.member_state.errors import ErasedMember, UnknownMember
from shared.member_state.repository import StateRepository
from shared.member_state.service import view_member
from shared.members.errors import ReferralRefused
from shared.members.points_api import ReferralCodeAnswer
from shared.members.repository import read_fields
from shared.storage import keys
from shared.storage.items import IdentifierItem
from shared.tenants.scope import TenantScope

CODE_LENGTH: Final = 8
"""30 characters to the power of 8: 39 bits. A code is no secret: knowing one gives its owner points."""
KIND: Final = "referral"
CODE_PURPOSE: Final = "referral-code"
"""What codes are derived for, and the kind of the item that leads from one to its owner."""


def code_of(scope: TenantScope, member: str) -> ReferralCodeAnswer:
    """Her code, usable from now on. One Query and one write; the same for ever."""
    state = view_member(scope, member, scope.clock())
    code = derived_code(scope, CODE_PURPOSE, state.member, CODE_LENGTH)
    key = keys.identifier(scope.tenant, KIND, scope.blind(KIND, code))
    scope.table.put(IdentifierItem.at(key, member=state.member, kind=KIND))
    return ReferralCodeAnswer(member_id=state.member, code=code, rewarded=state.referrals)


def referrer_of(scope: TenantScope, code: str, contacts: Iterable[tuple[str, str]], device_owner: str | None) -> str:
    """Who brings the new member; ``ReferralRefused`` if nobody has the code, or if it is she herself under another name.

    ``contacts`` are the phone number and address that she gives, proven or not; ``device_owner`` who used her device before.
    At most 5 reads.
    """
    raw = scope.table.get(keys.identifier(scope.tenant, KIND, scope.blind(KIND, code.upper())))
    if raw is None:
        raise ReferralRefused("unknown_referral_code", "There is no such referral code.")
    try:
        referrer = StateRepository(scope.tenant, scope.table).load(IdentifierItem.read(raw).member).state.member
    except (UnknownMember, ErasedMember):
        raise ReferralRefused("unknown_referral_code", "There is no such referral code.") from None
    if device_owner == referrer or _shares_contact(scope, referrer, list(contacts)):
        raise ReferralRefused("self_referral", "This code cannot be used by its own owner.")
    return referrer


def _shares_contact(scope: TenantScope, referrer: str, contacts: list[tuple[str, str]]) -> bool:
    """Whether a contact is the referrer's: an identifier of hers, or one that waits on her profile."""
    if not contacts:
        return False
    where = {keys.identifier(scope.tenant, kind, scope.blind(kind, value)) for kind, value in contacts}
    if any(IdentifierItem.read(raw).member == referrer for raw in scope.table.get_many(where).values()):
        return True
    hers = read_fields(scope, referrer)
    return any(hers.get(kind) == value for kind, value in contacts)

