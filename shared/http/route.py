"""One row of the table of routes (``shared.http.routes``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from shared.kernel.scopes import PERSONAL, PUBLIC

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
FunctionName = Literal[
    "registration", "transaction_ingestion", "coupon_redemption", "tenancy", "administration", "media", "audiences", "guest_links",
    "sign_in"
]
Audit = Literal["change", "forced", "order", "read", "personal", "counted", "books", "none"]
"""What the audit log keeps of an operation (docs/audit.md).

``change``: an entry in the transaction of the change. ``forced``: the same, but only for a call with ``force=true``. ``order``: also
where the table is not changed by the call itself: then an entry by itself, before the answer. ``read``: an entry by itself for what it
shows; ``personal``: if it shows fields that the scope ``members:personal`` opens. ``counted``: the metrics of requests count it.
``books``: the record that it makes names who made it, as a sale names its key and cashier. ``none``: shows nothing personal in clear.
"""
KEYED: Final = frozenset({
    "register_member", "adjust_points", "transfer_points", "convert_points", "claim_reward", "issue_coupon", "give_next_offer",
    "order_pool", "import_codes", "trigger_campaign", "invite_staff",
})  # fmt: skip
"""Operations, with their mirrors under /v1/me, where a repeated call is known by its Idempotency-Key. The others have a key of their own,
such as a receipt's number, or come to the same when they are done twice.
"""
MB: Final = 1024 * 1024
PAGE: Final = ("limit", "cursor")
"""What a list takes in its query."""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. ``path`` is in the gateway's and OpenAPI's common form: ``/v1/members/{member_id}``."""

    method: Method
    path: str
    function: FunctionName
    operation: str
    scope: str
    summary: str
    request: str | None = None
    response: str | None = None
    status: int = 200
    needs_if_match: bool = False
    query: tuple[str, ...] = ()
    max_body: int = MB
    """Bytes. Lambda takes 6 MB with everything round the body."""
    takes_credential: bool = False
    """A public route whose body is a credential: it is refused with 401."""
    media: str = "application/json"
    """What it answers; empty: nothing but headers."""
    audit: Audit | None = None
    """Where it is left out: changes are ``change``, what needs ``members:personal`` is ``read``, the rest is ``none``; what the public
    does is in the books.
    """

    @property
    def key(self) -> str:
        """``POST /v1/members``: the gateway's route key."""
        return f"{self.method} {self.path}"

    @property
    def public(self) -> bool:
        """Whether it answers without a credential."""
        return self.scope == PUBLIC

    @property
    def keyed(self) -> bool:
        """Whether it takes an Idempotency-Key. That the document says so of those and of no others is tested for all of them."""
        return self.operation.removesuffix("_of_me") in KEYED

    @property
    def page(self) -> bool:
        """Whether people come here with a browser: they are answered by a page of HTML, refusals included."""
        return self.function == "guest_links" or self.path.startswith("/v1/forms/")

    @property
    def audited(self) -> Audit:
        """What the audit log keeps of it. That each route really leaves what this says is tested for all of them."""
        if self.audit is not None:
            return self.audit
        if self.method in ("GET", "HEAD"):
            return "read" if self.scope == PERSONAL else "none"
        return "books" if self.public else "change"
