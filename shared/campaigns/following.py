"""What guests do with the links of messages: a click is led on, an opening noted, and who wants no more is believed at once.

The tokens say whose they are (``shared.messaging.links``); which delivery it was is found among hers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.campaigns.deliveries import DeliveryRepository, delivery_id
from shared.campaigns.model import CHANNELS, Delivery
from shared.campaigns.writing import kept_links
from shared.kernel.errors import AppError, Gone, NotFound
from shared.member_state.errors import ErasedMember, UnknownMember
from shared.member_state.events import Responded
from shared.member_state.service import Change, Occasion, change_member
from shared.members.silencing import silence
from shared.messaging.links import Tracked, Unsubscribing
from shared.observability.logs import logger
from shared.observability.measures import count_late
from shared.privacy.crypto import Undecipherable
from shared.storage import keys
from shared.tenants.links import UnknownLink
from shared.tenants.scope import TenantScope

ONE_CLICK: Final = "one_click"
"""The source of a consent that was withdrawn by a link."""
OPENED, CLICKED = "message.opened", "message.clicked"
_TYPES: Final = {OPENED: "opened", CLICKED: "clicked"}


@dataclass(frozen=True, slots=True)
class Found:
    """A delivery that a link was in."""

    id: str
    key: keys.Key
    delivery: Delivery


def follow(scope: TenantScope, tracked: Tracked, correlation: str = "", *, counts: bool = True) -> str:
    """Where a link leads: what its message said, and nowhere else. ``UnknownLink`` if it led nowhere, or she is forgotten.

    Told as ``message.opened`` and ``message.clicked``, each the first time, unless ``counts`` says that nobody clicked. A click that cannot
    be written is lost, the guest is led on all the same. A Query over her deliveries, her key, and the first time a transaction.
    """
    found = _active(scope, tracked)
    try:
        links = kept_links(scope.cipher(tracked.member), found.delivery.data)
    except Gone:
        count_late("click")
        raise UnknownLink from None
    except Undecipherable:
        raise UnknownLink from None
    if tracked.link >= len(links):
        raise UnknownLink
    if counts:
        tell(scope, found, (OPENED, CLICKED), correlation)
    return links[tracked.link]


def see(scope: TenantScope, tracked: Tracked, correlation: str = "") -> None:
    """Note that an e-mail was opened, the first time. A Query, and then a transaction."""
    tell(scope, _active(scope, tracked), (OPENED,), correlation)


def unsubscribe(scope: TenantScope, unsubscribing: Unsubscribing, correlation: str = "") -> Delivery | None:
    """She wants no more of this purpose over this channel: her consent is withdrawn, with the delivery as its proof, and counted once.

    Repeating changes nothing. Who is forgotten gets nothing anyway. Answers the delivery that the link was in, if it is still there.
    """
    found = delivery_of(scope, unsubscribing)
    now = scope.clock()
    proof = found.id if found is not None else ""
    try:
        silence(scope, unsubscribing.member, [(unsubscribing.purpose, unsubscribing.channel)], ONE_CLICK, proof, correlation=correlation)
    except (ErasedMember, UnknownMember):
        count_late("unsubscribing")
        return None
    if found is None:
        return None
    DeliveryRepository(scope.tenant, scope.table, scope.effort).respond(found.key, "unsubscribed", now)
    return found.delivery


def delivery_of(scope: TenantScope, link: Tracked | Unsubscribing) -> Found | None:
    """The delivery that a link was in. One Query."""
    repository = DeliveryRepository(scope.tenant, scope.table, scope.effort)
    for raw in scope.table.query_all(keys.member(scope.tenant, link.member), begins=keys.DELIVERY_PREFIX):
        if raw["channel"]["S"] in CHANNELS:
            delivery = repository.decode(raw)
            id_ = delivery_id(delivery)
            if link.is_of(id_):
                return Found(id_, repository.key(delivery), delivery)
    return None


def _active(scope: TenantScope, tracked: Tracked) -> Found:
    found = delivery_of(scope, tracked)
    if found is None or scope.definitions.settings.status != "active":
        raise UnknownLink
    return found


def tell(scope: TenantScope, found: Found, types: tuple[str, ...], correlation: str = "") -> None:
    """The same that the app tells of an opening or a click; not again what the delivery has already."""
    delivery, now = found.delivery, scope.clock()
    fresh = [each for each in types if _TYPES[each] not in delivery.responded]
    if not fresh:
        return
    data: dict[str, str | int | bool] = {"delivery_id": found.id}
    events = [Responded(now, each, delivery.campaign, delivery.step, data) for each in fresh]
    try:
        change_member(scope, delivery.member, Occasion(now, correlation), lambda *_: Change(events, lambda *_: None))
    except NotFound:
        raise UnknownLink from None
    except ErasedMember:
        count_late("response")
    except AppError as error:
        # The guest does not wait for our counting.
        logger().warning("response not noted", extra={"member": delivery.member, "reason": error.code})
