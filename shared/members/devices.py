"""Devices that take push messages. A push token belongs to one device, and a device to the member who used it last.

The device's id is the keyed hash of its token, so the same token is the same device whoever brings it. The token itself is
only in the push service.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Protocol

from shared.kernel.errors import AppError, ConcurrentUpdate, FieldError
from shared.kernel.instants import DAY, format_rfc3339
from shared.member_state.effects import Effects
from shared.member_state.errors import ErasedMember, UnknownMember
from shared.member_state.events import DevicesChanged, MemberEvent, ReferralEnded
from shared.member_state.model import MAX_DEVICES, MemberState
from shared.member_state.repository import StateRepository
from shared.member_state.service import Change, Done, Occasion, change_member
from shared.members.api import DeviceAnswer, DeviceRequest
from shared.members.errors import ChannelNotConfigured, UnknownDevice
from shared.members.repository import Device, MemberRepository
from shared.observability.logs import logger
from shared.storage.commit import Stale
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope

FRESH_FOR: Final = 30 * DAY
"""An app may register at every start: within this time nothing is written."""
_ID: Final = re.compile(r"dev_[A-Za-z0-9_.-]{10,60}")


class PushRegistry(Protocol):
    """Where tokens become endpoints (SNS; a dictionary in tests)."""

    def ensure_endpoint(self, application: str, token: str, endpoint: str | None = None) -> str:
        """The enabled endpoint of a token, made if there is none; repeating is harmless."""

    def remove(self, endpoint: str) -> None:
        """Delete an endpoint."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A device whose endpoint is ready. ``owner`` is who used it until now, ``known`` the stored device of that owner."""

    device: Device
    owner: str | None
    known: Device | None


def prepare(scope: TenantScope, request: DeviceRequest, push: PushRegistry, at: str = "") -> Prepared:
    """Make sure of the endpoint: everything that may be refused. ``at`` is where the request stands in the body.

    ``ChannelNotConfigured`` without an application of the platform. 1 or 2 reads and 2 or 3 calls of the push service.
    """
    application = scope.definitions.settings.push.get(request.platform)
    if application is None:
        hint = FieldError(f"{at}/platform", "channel_not_configured", "the tenant has no push application for it")
        raise ChannelNotConfigured(f"This tenant has no push application for {request.platform}.", errors=(hint,))
    repository = MemberRepository(scope.tenant, scope.table)
    device_id = f"dev_{scope.blind(f'device:{request.platform}', request.token)}"
    owner = repository.owner_of(device_id)
    known = repository.device(owner, device_id) if owner is not None else None
    endpoint = push.ensure_endpoint(application.application_arn, request.token, known.endpoint if known is not None else None)
    return Prepared(Device(device_id, request.platform, endpoint, scope.clock()), owner, known)


def attach(scope: TenantScope, member: str, prepared: Prepared, correlation: str = "") -> DeviceAnswer:
    """Give the device to the member. It is taken from its owner before: nobody ever gets another's messages."""
    loaded = StateRepository(scope.tenant, scope.table).load(member)
    member, device, now = loaded.state.member, prepared.device, scope.clock()
    is_new_owner = prepared.owner is not None and prepared.owner != member
    gone = prepared.owner if is_new_owner and not take_away(scope, prepared.owner or "", device.id, correlation) else None
    repository = MemberRepository(scope.tenant, scope.table)

    def decide(state: MemberState, stale: Stale) -> Change[DeviceAnswer] | Done[DeviceAnswer]:
        if "pointer" in stale:
            raise ConcurrentUpdate("The device is being registered for somebody else; repeat the call.")
        if not is_new_owner and _is_fresh(prepared, state):
            return Done(_answer(prepared.known or device))
        devices = [*(each for each in state.devices if each != device.id), device.id]

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> DeviceAnswer:
            repository.add_device(batch, member, device, gone)
            for dropped in devices[:-MAX_DEVICES]:
                repository.add_device_end(batch, member, dropped)
            return _answer(device)

        events: list[MemberEvent] = [DevicesChanged(now, tuple(devices[-MAX_DEVICES:]))]
        if _is_her_referrers(state, prepared.owner):
            events.append(ReferralEnded(now, "", "", "refused", "self_referral"))
        return Change(events, finish)

    return change_member(scope, member, Occasion(now, correlation), decide, loaded=loaded)


def add_device(scope: TenantScope, member: str, request: DeviceRequest, push: PushRegistry, correlation: str = "") -> DeviceAnswer:
    """Register a device for push messages; registering again is harmless."""
    return attach(scope, member, prepare(scope, request, push), correlation)


def remove_device(scope: TenantScope, member: str, device_id: str, push: PushRegistry, correlation: str = "") -> None:
    """Forget a device of the member's. ``UnknownDevice`` if she has none of that id."""
    if _ID.fullmatch(device_id) is None:
        raise UnknownDevice
    member = StateRepository(scope.tenant, scope.table).load(member).state.member
    device = MemberRepository(scope.tenant, scope.table).device(member, device_id)
    if device is None:
        raise UnknownDevice
    take_away(scope, member, device_id, correlation)
    try:
        push.remove(device.endpoint)
    except AppError as error:
        # Nothing leads to the endpoint any more: it is only untidy.
        logger().warning("push endpoint left behind", extra={"reason": error.code})


def take_away(scope: TenantScope, owner: str, device_id: str, correlation: str) -> bool:
    """The device is the owner's no longer; ``False`` if the owner is no member any more."""
    repository, now = MemberRepository(scope.tenant, scope.table), scope.clock()

    def decide(state: MemberState, _stale: Stale) -> Change[bool]:
        left = tuple(each for each in state.devices if each != device_id)

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> bool:
            repository.add_device_end(batch, owner, device_id)
            return True

        return Change([DevicesChanged(now, left)], finish)

    try:
        return change_member(scope, owner, Occasion(now, correlation), decide)
    except (UnknownMember, ErasedMember):
        return False


def _is_her_referrers(state: MemberState, owner: str | None) -> bool:
    """Whether the device was used by who referred her, and nothing has come of that yet: then it was herself."""
    referred = state.referred
    return referred is not None and referred.by == owner and not (referred.transaction or referred.ended)


def _is_fresh(prepared: Prepared, state: MemberState) -> bool:
    known, device = prepared.known, prepared.device
    if known is None or device.id not in state.devices or "push" in state.suppressed:
        return False
    return replace(known, registered_at=device.registered_at) == device and device.registered_at - known.registered_at < FRESH_FOR


def _answer(device: Device) -> DeviceAnswer:
    return DeviceAnswer(device_id=device.id, platform=device.platform, registered_at=format_rfc3339(device.registered_at))
