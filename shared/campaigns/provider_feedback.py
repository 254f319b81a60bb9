"""What providers tell of messages, and what follows: counted with the delivery, and we are silent where nobody is, or wants to be, reached.

Safe to hear however often: what follows is done first, and the delivery's own note of it, by which a repetition is known, last. A bounce or
complaint of an address that is not hers any more is counted, and holds nothing back from the new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from shared.campaigns.deliveries import DeliveryRepository, Response, key_of
from shared.campaigns.following import CLICKED, OPENED, Found, tell
from shared.kernel.errors import Gone
from shared.kernel.ids import is_id
from shared.members.devices import take_away
from shared.members.directory import find
from shared.members.repository import MemberRepository
from shared.members.silencing import ADDRESSES, granted_on, silence
from shared.messaging.feedback import Feedback, NoFeedback
from shared.messaging.sms import is_number
from shared.tenants.messaging import Channel
from shared.tenants.scope import TenantScope

COMPLAINT: Final = "complaint"
BOUNCE: Final = "bounce"
OPT_OUT: Final = "opt_out"
_RESPONSES: Final[dict[str, Response]] = {"delivered": "delivered", "bounced": "bounced", "complained": "complained"}
_TOLD: Final = {"opened": (OPENED,), "clicked": (OPENED, CLICKED)}
_FIELDS: Final = {channel: name for name, channel in ADDRESSES.items()}


class Endpoints(Protocol):
    """What is asked of the push service."""

    def token_of(self, endpoint: str) -> str | None:
        """The token of an endpoint; ``None`` if there is no such endpoint."""


def take(scope: TenantScope, feedback: Feedback, endpoints: Endpoints) -> str:
    """Do what feedback about one tenant's message asks for; answers what that was. Two to four reads and at most two writes.

    ``NoSuchTenant`` if there is no such tenant, ``NoFeedback`` if it names no member. Of who is not, or not any more, nothing is noted.
    """
    _ = scope.definitions
    if feedback.kind == "dead":
        return _dead(scope, feedback, endpoints)
    if feedback.kind == "opted_out":
        return _opted_out(scope, feedback)
    if not is_id("mbr", feedback.member):
        raise NoFeedback("it names no member")
    found = _found(scope, feedback)
    if feedback.kind in _TOLD:
        if found is not None:
            tell(scope, found, _TOLD[feedback.kind])
        return feedback.kind
    response = _RESPONSES[feedback.kind]
    if found is not None and response in found.delivery.responded:
        return "known"
    _silence(scope, feedback)
    if found is not None:
        DeliveryRepository(scope.tenant, scope.table, scope.effort).respond(found.key, response, feedback.at)
    return feedback.kind


def writes_from(scope: TenantScope, origination: str) -> bool:
    """Whether a tenant may have written to a guest from this number: it is its own, or its numbers are a pool's, which nobody can tell."""
    sms = scope.definitions.settings.messaging.sms
    return sms is not None and (sms.origination == origination or not is_number(sms.origination))


def of_tenants(scopes: Iterable[TenantScope], feedback: Feedback, endpoints: Endpoints) -> int:
    """What a guest wrote to a number, for each tenant that writes from it; answers how many know her."""
    mine = [scope for scope in scopes if writes_from(scope, feedback.origination)]
    return sum(take(scope, feedback, endpoints) == "opted_out" for scope in mine)


# -- one by one -----------------------------------------------------------------------------------------------------------


def _found(scope: TenantScope, feedback: Feedback) -> Found | None:
    """The delivery, if it is one of ours: a test message has none."""
    named = key_of(scope.tenant, feedback.member, feedback.delivery)
    row = DeliveryRepository(scope.tenant, scope.table, scope.effort).get(named[1]) if named is not None else None
    return Found(feedback.delivery, named[1], row) if named is not None and row is not None else None


def _silence(scope: TenantScope, feedback: Feedback) -> None:
    """Nothing more over a channel whose address does not exist, or whose owner complained."""
    is_final = feedback.permanent and feedback.kind in ("bounced", "complained")
    if not is_final or not _is_hers(scope, feedback):
        return
    complained = feedback.kind == "complained"
    channel, reason = feedback.channel, COMPLAINT if complained else BOUNCE
    purposes = granted_on(channel) if complained else ()
    silence(scope, feedback.member, purposes, reason, feedback.delivery, suppressed=(channel, reason))


def _is_hers(scope: TenantScope, feedback: Feedback) -> bool:
    """Whether the address is still the one that she has. Of who is forgotten nothing is held."""
    repository = MemberRepository(scope.tenant, scope.table)
    try:
        cipher = scope.cipher(feedback.member)
    except Gone:
        return False
    field = _FIELDS[feedback.channel]
    now = repository.profile(feedback.member).fields(cipher, "contact").get(field, "")
    return not feedback.address or now.lower() == feedback.address.lower()


def _opted_out(scope: TenantScope, feedback: Feedback) -> str:
    """A guest wrote STOP: nothing more by SMS, whatever she had allowed."""
    member = find(scope, "phone", feedback.address) if is_number(feedback.address) else None
    if member is None:
        return "nobody"
    channel: Channel = "sms"
    silence(scope, member, granted_on(channel), OPT_OUT, feedback.reason, suppressed=(channel, OPT_OUT))
    return "opted_out"


def _dead(scope: TenantScope, feedback: Feedback, endpoints: Endpoints) -> str:
    """A device that push cannot reach is hers no longer, unless the app has brought it back since."""
    token = endpoints.token_of(feedback.address)
    if token is None:
        return "nobody"
    device_id = f"dev_{scope.blind(f'device:{feedback.platform}', token)}"
    repository = MemberRepository(scope.tenant, scope.table)
    owner = repository.owner_of(device_id)
    device = repository.device(owner, device_id) if owner is not None else None
    if owner is None or device is None or device.endpoint != feedback.address or device.registered_at > feedback.at:
        return "nobody"
    take_away(scope, owner, device_id, "")
    return "dead"
