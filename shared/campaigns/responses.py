"""What came back: opens, clicks, coupons redeemed, forms filled. Each counts once per delivery, however often it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.campaigns.deliveries import DeliveryRepository, Response, key_of
from shared.coupons.repository import CouponRepository
from shared.kernel.errors import InvalidValue
from shared.relay.envelope import Envelope
from shared.storage.keys import Key
from shared.tenants.scope import TenantScope

RESPONSES: Final[Mapping[str, tuple[Response, ...]]] = {
    "message.opened": ("opened",),
    "message.clicked": ("opened", "clicked"),
    "form.submitted": ("submitted",),
    "coupon.redeemed": ("redeemed",),
}
"""Who clicked has opened."""
_FORM: Final = "form:"
"""What a coupon that a form gave is issued by: ``form:<campaign>``."""


def on_events(scope: TenantScope, envelope: Envelope) -> int:
    """Count the responses of a commit about a member; answers how many were the first of their kind.

    Costs nothing but for an event that is one: a read or two, and one transaction.
    """
    if envelope.member is None or envelope.mode == "historical":
        return 0
    return sum(_record(scope, envelope.member, event) for event in envelope.events if event["type"] in RESPONSES)


def _record(scope: TenantScope, member: str, event: Mapping[str, Any]) -> int:
    repository = DeliveryRepository(scope.tenant, scope.table, scope.effort)
    of_a_coupon = event["type"] == "coupon.redeemed"
    found = _delivery_of_coupon(scope, repository, member, event) if of_a_coupon else _named(repository, member, event)
    if found is None:
        return 0
    campaign, key = found
    return sum(repository.respond(key, campaign, member, response, int(event["occurred_at"])) for response in RESPONSES[event["type"]])


def _named(repository: DeliveryRepository, member: str, event: Mapping[str, Any]) -> tuple[str, Key] | None:
    """The delivery that the app names by its id, else the newest of the campaign and step that it names."""
    data = event["data"]
    exact = key_of(repository.tenant, member, str(data.get("delivery_id", "")))
    if exact is not None:
        return exact
    campaign, step = data.get("campaign"), data.get("step")
    return _newest(repository, member, campaign, step) if isinstance(campaign, str) else None


def _delivery_of_coupon(
    scope: TenantScope, repository: DeliveryRepository, member: str, event: Mapping[str, Any]
) -> tuple[str, Key] | None:
    """The delivery that the coupon was attached to, or the one whose form gave it."""
    coupon = CouponRepository(scope.tenant, scope.table).get(str(event["data"]["coupon"]))
    issued_by = coupon.issued_by if coupon is not None else None
    if issued_by is None:
        return None
    if issued_by.startswith(_FORM):
        return _newest(repository, member, issued_by.removeprefix(_FORM), None)
    return key_of(scope.tenant, member, issued_by)


def _newest(repository: DeliveryRepository, member: str, campaign: str, step: Any) -> tuple[str, Key] | None:
    try:
        key = repository.newest(member, campaign, step if isinstance(step, str) and step else None)
    except InvalidValue:
        # What an app sends as a campaign or step need not be one.
        return None
    return (campaign, key) if key is not None else None
