"""Bodies of the routes of staff. An e-mail address goes in and to the user pool, and nowhere else: no answer and no item has it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.tenants.base import Frozen, Label, Name
from shared.tenants.staff import StaffGroup


class StaffRequest(Frozen):
    """Somebody who is to work for the tenant. The invitation with the name to sign in with goes to the address."""

    email: str = Field(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")
    group: StaffGroup
    label: Label | None = Field(default=None, description="a word of your own for the list, such as the desk; no name is needed")
    location_id: Name | None = None
    location_group: Name | None = Field(default=None, description="restricts to the locations of a group, and of the groups below it")


class StaffChange(Frozen):
    """What changes; what is left out stays. ``everywhere`` lifts the restriction to a place."""

    group: StaffGroup | None = None
    label: Label | None = None
    location_id: Name | None = None
    location_group: Name | None = None
    everywhere: bool = False
    status: Literal["active", "disabled"] | None = None
    sign_out: bool = Field(default=False, description="on every device; tokens that are out are refused within a minute")
    reset_mfa: bool = Field(default=False, description="forget the authenticator app: a new one is set up with the next sign-in")


class StaffAnswer(Frozen):
    """One of the staff."""

    staff_id: str
    username: str = Field(description="what they sign in with")
    group: StaffGroup
    scopes: tuple[str, ...]
    status: Literal["active", "disabled", "removing"]
    label: str | None = None
    location_id: str | None = None
    location_group: str | None = None
    invited_at: str
    invited_by: str
    signed_out_at: str | None = Field(default=None, description="tokens from before open nothing")


class StaffPage(Frozen):
    """Staff by id."""

    data: tuple[StaffAnswer, ...]
    next_cursor: str | None = None
