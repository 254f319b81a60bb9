"""People who work for a tenant: which groups there are, what each may do, and by which name the user pool knows somebody. Pure.

The name in the pool is ``<tenant>.<staff id>``. Nobody can change it, not even its owner, and it is in every token: that is how a token
tells its tenant (docs/adr/0027).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple, get_args

from shared.kernel.errors import InvalidValue
from shared.kernel.ids import check_tenant
from shared.kernel.scopes import AUDIT, KEY_SCOPES, RELEASE

StaffGroup = Literal["owner", "marketer", "cashier_support", "read_only"]
STAFF_GROUPS: Final[tuple[StaffGroup, ...]] = get_args(StaffGroup)
SCOPES_OF: Final[Mapping[StaffGroup, frozenset[str]]] = {
    # Everything that a key may do: whoever makes a till's key must have its scopes, and nobody gives what they have not.
    "owner": KEY_SCOPES,
    "marketer": frozenset(
        {"definitions:read", "definitions:write", "campaigns:run", "members:read", "reports:read", "coupons:issue", "transactions:read"}
    ),
    "cashier_support": frozenset(
        {
            "members:identify", "members:read", "members:write", "points:write", "transactions:read", "transactions:review", "reports:read",
            "coupons:issue", RELEASE, "definitions:read",
        }
    ),
    "read_only": frozenset({"definitions:read", "members:read", "transactions:read", "reports:read", AUDIT}),
}  # fmt: skip
"""Group -> scopes: the one place that says so. No group but the owners' sells or redeems."""
_ID: Final = re.compile(r"stf_[a-z2-7]{12}")
_SEPARATOR: Final = "."
"""In no tenant's id, so that no tenant's names begin like another's."""


class StaffName(NamedTuple):
    """Whom a name in the pool is of."""

    tenant: str
    staff_id: str


def new_staff_id(entropy: Callable[[int], bytes]) -> str:
    """A fresh id of 60 random bits."""
    return f"stf_{base64.b32encode(entropy(10)).decode().lower()[:12]}"


def is_staff_id(text: str) -> bool:
    """Whether the text is such an id."""
    return _ID.fullmatch(text) is not None


def username(tenant: str, staff_id: str) -> str:
    """The name in the pool, which is also what somebody signs in with."""
    check_tenant(tenant)
    if not is_staff_id(staff_id):
        raise InvalidValue("not an id of staff")
    return f"{tenant}{_SEPARATOR}{staff_id}"


def names_of(tenant: str) -> str:
    """What the names of all of a tenant's staff begin with."""
    return f"{check_tenant(tenant)}{_SEPARATOR}"


def parse_username(text: str) -> StaffName:
    """Whom a name is of; ``InvalidValue`` for one that ``username`` never makes."""
    tenant, _, staff_id = text.partition(_SEPARATOR)
    check_tenant(tenant)
    if not is_staff_id(staff_id):
        raise InvalidValue("not a name of staff")
    return StaffName(tenant, staff_id)
