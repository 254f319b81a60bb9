"""Refusals about members as such."""

from __future__ import annotations

from shared.kernel.errors import Gone, NotFound, StateConflict


class UnknownMember(NotFound):
    """No such member in this tenant."""

    code, title = "unknown_member", "Unknown member"


class ErasedMember(Gone):
    """She asked to be forgotten, and was."""

    code, title = "member_erased", "Member erased"


class MemberRestricted(StateConflict):
    """The processing of her data is restricted: nothing is concluded about her until that is lifted."""

    code, title = "member_restricted", "Processing restricted"
