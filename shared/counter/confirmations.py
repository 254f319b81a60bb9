"""A member confirms that points are spent: in her app, by a code that is sent to her, or by the rotating code of her app.

One-time codes are those of signing in with a desk of their own: the digest is another one, so that a cashier who is told such a code
cannot sign in with it, and tries, caps and countries are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from shared.counter.api import ConfirmationAnswer, ConfirmationRequest, ConfirmationsAnswer
from shared.counter.errors import TooManyConfirmations, UnknownConfirmation, WayNotAvailable
from shared.counter.model import Way
from shared.counter.repository import Confirmation, ConfirmationRepository
from shared.counter.rotating_code import member_of_qr
from shared.counter.stepping_up import ways_of
from shared.kernel.errors import FieldError, StateConflict
from shared.kernel.ids import new_ulid
from shared.kernel.instants import MINUTE, SECOND, Instant, format_rfc3339
from shared.member_state.errors import UnknownMember
from shared.member_state.model import MemberState
from shared.member_state.service import view_member
from shared.members.one_time_codes import Addressed, CodeDesk, check, send, use
from shared.members.one_time_codes import Kind as CodeKind
from shared.members.repository import MemberRepository, held_name, read_fields
from shared.messaging.counter_texts import counter_text
from shared.messaging.port import Message, Senders
from shared.privacy.crypto import derive
from shared.tenants.jwks import JwkSet
from shared.tenants.scope import TenantScope
from shared.transactions import gathering

VALID: Final = 10 * MINUTE
MOST_OPEN: Final = 5
"""Asked of one member within their time: a till cannot ring her telephone all day."""
_KINDS: Final[dict[Way, CodeKind]] = {"sms": "phone", "email": "email"}


class NotOpen(StateConflict):
    """It was answered, or its time is over."""

    code, title = "confirmation_closed", "Confirmation not open"


@dataclass(frozen=True, slots=True)
class ConfirmingDesk:
    """What confirmations are asked with."""

    codes: CodeDesk
    senders: Callable[[], Senders]
    keys: Callable[[], JwkSet]


def codes_of_the_counter(master: bytes, senders: Callable[[], Senders]) -> CodeDesk:
    """Codes that sign nobody in."""
    return CodeDesk(derive(master, "counter-codes"), senders)


def ask(scope: TenantScope, request: ConfirmationRequest, caller: str, desk: ConfirmingDesk) -> ConfirmationAnswer:
    """Ask a member. ``UnknownMember``, ``WayNotAvailable``, ``QrRefused``, ``TooManyConfirmations``, and what codes are refused with."""
    now = scope.clock()
    found = gathering.member_id(scope, request.member)
    if found is None:
        raise UnknownMember
    state, repository = view_member(scope, found, now), ConfirmationRepository(scope.tenant, scope.table)
    settings = scope.definitions.settings
    if request.way not in ways_of(state, settings):
        raise _not_available()
    asked = Confirmation(
        state.member, new_ulid(now), "asked", request.way, request.location_id, request.points, request.value, now + VALID, caller
    )
    if request.qr is not None:
        if view_member(scope, member_of_qr(scope, request.qr, desk.keys()), now).member != state.member:
            raise UnknownMember
        asked = replace(asked, state="confirmed")
    elif sum(each.until > now and each.state == "asked" for each in repository.of_member(state.member)) >= MOST_OPEN:
        raise TooManyConfirmations(retry_after=VALID // SECOND)
    elif request.way != "app":
        kind = _KINDS[request.way]
        asked = replace(asked, code=_send(scope, state, kind, desk.codes).encode())
    repository.put(asked)
    if request.way == "app":
        _tell(scope, state, asked, desk.senders())
    return answer_of(asked, now)


def read(scope: TenantScope, confirmation_id: str) -> ConfirmationAnswer:
    """As it is now: what a till asks while she looks at her telephone. 1 read."""
    return answer_of(ConfirmationRepository(scope.tenant, scope.table).get(confirmation_id), scope.clock())


def type_code(scope: TenantScope, confirmation_id: str, code: str, desk: ConfirmingDesk) -> ConfirmationAnswer:
    """The code that she was sent. ``InvalidCode`` after five tries, or for another; ``NotOpen``."""
    repository, now = ConfirmationRepository(scope.tenant, scope.table), scope.clock()
    asked = repository.get(confirmation_id)
    if asked.code is None or asked.state != "asked" or asked.until <= now:
        raise NotOpen("There is no code to be typed for it.")
    to: Addressed = desk.codes.open(asked.code.decode(), now)
    digest = check(scope, to, code, desk.codes)
    use(scope, to, digest)
    return _answered(repository, asked, approve=True, now=now)


def decide(scope: TenantScope, member: str, confirmation_id: str, *, approve: bool) -> ConfirmationAnswer:
    """Her own answer in the app. Another member's is ``UnknownConfirmation``; saying the same again answers the same."""
    repository, now = ConfirmationRepository(scope.tenant, scope.table), scope.clock()
    asked = repository.get(confirmation_id)
    if asked.member != member or asked.way != "app":
        raise UnknownConfirmation
    if asked.state == ("confirmed" if approve else "refused"):
        return answer_of(asked, now)
    return _answered(repository, asked, approve=approve, now=now)


def open_of(scope: TenantScope, member: str) -> ConfirmationsAnswer:
    """What waits for her answer in the app. One Query."""
    now = scope.clock()
    found = ConfirmationRepository(scope.tenant, scope.table).of_member(member)
    waiting = (each for each in found if each.way == "app" and each.state == "asked" and each.until > now)
    return ConfirmationsAnswer(data=tuple(answer_of(each, now) for each in waiting))


def answer_of(found: Confirmation, now: Instant) -> ConfirmationAnswer:
    """As callers read it."""
    is_over = found.until <= now and found.state in ("asked", "confirmed")
    return ConfirmationAnswer(
        confirmation_id=found.id,
        state="expired" if is_over else found.state,
        way=found.way,
        location_id=found.location,
        points=found.points,
        value=found.value,
        expires_at=format_rfc3339(found.until),
    )


def _answered(repository: ConfirmationRepository, asked: Confirmation, *, approve: bool, now: Instant) -> ConfirmationAnswer:
    to: Any = "confirmed" if approve else "refused"
    if not repository.answer(asked, to, now):
        raise NotOpen("It was answered, or its time is over.")
    return answer_of(replace(asked, state=to), now)


def _send(scope: TenantScope, state: MemberState, kind: CodeKind, codes: CodeDesk) -> str:
    """A code to the number or address that is proven to be hers, and stands on her profile; the till learns neither."""
    fields = read_fields(scope, state.member, "contact", "identity")
    value = fields.get(kind)
    held = {held_name(*each) for each in MemberRepository(scope.tenant, scope.table).held(state.member)}
    if value is None or held_name(kind, scope.blind(kind, value)) not in held:
        raise _not_available()
    return send(scope, kind, value, fields.get("language"), codes, partial(counter_text, "confirmation_code"))


def _tell(scope: TenantScope, state: MemberState, asked: Confirmation, senders: Senders) -> None:
    """A push to each of her devices. Where none arrives the app finds it in its list: nothing is retried, and the till can see."""
    settings = scope.definitions.settings
    title, body = counter_text("confirmation_asked", settings.languages, {"tenant": settings.name})
    origin = {"tenant": scope.tenant, "member": state.member, "delivery": f"cnf-{asked.ulid}", "campaign": "", "step": "confirmation"}
    data = {"confirmation_id": asked.id}
    message = Message(title, body, data, ttl_seconds=VALID // SECOND, origin=origin, service=True, at=asked.until - VALID)
    repository = MemberRepository(scope.tenant, scope.table)
    for device in (repository.device(state.member, id_) for id_ in state.devices):
        if device is not None and device.endpoint and device.status == "active":
            senders["push"].send(device.endpoint, message)


def _not_available() -> WayNotAvailable:
    return WayNotAvailable("She cannot confirm in this way.", errors=(FieldError("/way", "way_not_available", "choose another way"),))
