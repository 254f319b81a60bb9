"""Refusals about merges."""

from __future__ import annotations

from shared.kernel.errors import FieldError, NotFound, StateConflict, Unavailable, Unprocessable


class SameMember(Unprocessable):
    """Both ids are the same member's."""

    code, title = "same_member", "The same member"

    def __init__(self) -> None:
        hint = FieldError("/from_member_id", self.code, "nobody is merged into herself")
        super().__init__("The request does not fit; see errors.", errors=(hint,))


class MemberMerged(StateConflict):
    """The member was merged before. The detail says into whom."""

    code, title = "member_merged", "Member merged"

    def __init__(self, survivor: str) -> None:
        hint = FieldError("/from_member_id", self.code, f"is {survivor} by now")
        super().__init__(f"This member was merged into {survivor}.", errors=(hint,))


class HoldOpen(StateConflict):
    """A basket holds points or a coupon of the one who would go. Redeem it, release it, or wait until it runs out."""

    code, title = "hold_open", "A hold is open"


class TooManyMerged(StateConflict):
    """More members than may turn out to be one."""

    code, title = "too_many_merged", "Too many members in one"


class UnknownMerge(NotFound):
    """This member was merged into nobody."""

    code, title = "unknown_merge", "No merge of this member"


class StillLeft(Unavailable):
    """Something of the one who went still leads to her, as the last look found. The step is done again."""

    code, title = "merge_incomplete", "Merge not complete"
