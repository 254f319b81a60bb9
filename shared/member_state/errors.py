"""Refusals about members as such."""

from __future__ import annotations

from shared.kernel.errors import Gone, NotFound


class UnknownMember(NotFound):
    """No such member in this tenant."""

    code, title = "unknown_member", "Unknown member"


class ErasedMember(Gone):
    """She asked to be forgotten, and was."""

    code, title = "member_erased", "Member erased"
