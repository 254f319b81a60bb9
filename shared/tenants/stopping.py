"""Reading and setting a tenant's emergency stops."""

from __future__ import annotations

from typing import Final

from shared.kernel.errors import FieldError, StateConflict, Unprocessable
from shared.kernel.instants import Instant, format_rfc3339
from shared.member_state.effects import DomainEvent
from shared.member_state.repository import Stamp, envelope
from shared.storage import keys
from shared.storage.errors import ConditionFailed
from shared.storage.expressions import Condition, Path
from shared.storage.items import SettingsItem
from shared.storage.packing import pack, unpack
from shared.tenants.scope import TenantScope
from shared.tenants.stops import Stops, StopsAnswer

CHANGED: Final = "tenant.stops_changed"


class StopsChangedMeanwhile(StateConflict):
    """Somebody else set them at the same moment: read them, and decide again."""

    code, title = "stops_changed", "Changed at the same time"


def get_stops(scope: TenantScope) -> StopsAnswer:
    """As stored, not as cached. One read."""
    _, stops, at = _stored(scope)
    return _answer(stops, at)


def set_stops(scope: TenantScope, wanted: Stops, actor: str, correlation: str = "") -> StopsAnswer:
    """Set all of them at once; the same again changes nothing. Told as ``tenant.stops_changed``, with who did it. Two reads, one write.

    ``Unprocessable`` for offers that the tenant has not.
    """
    version, before, at = _stored(scope)
    wanted = Stops.model_validate(wanted.model_dump())
    if version and before == wanted:
        return _answer(before, at)
    known = scope.repository.timelines(wanted.offers, consistent=True)
    unknown = [
        FieldError(f"/offers/{index}", "unknown_offer", "the tenant has no such offer")
        for index, offer in enumerate(wanted.offers)
        if offer not in known
    ]
    if unknown:
        raise Unprocessable("The stops do not fit; see errors.", errors=tuple(unknown[:20]))
    now, key = scope.clock(), keys.stops(scope.tenant)
    data: dict[str, object] = {**wanted.model_dump(mode="json"), "actor": actor}
    out = envelope([DomainEvent(CHANGED, now, data)], Stamp(now, correlation))
    body = pack({"stops": wanted.model_dump(mode="json"), "at": now, "actor": actor})
    as_read: Condition = Path("version") == version if version else Path("PK").does_not_exist()
    try:
        scope.table.put(SettingsItem.at(key, version=version + 1, body=body, out=out), as_read)
    except ConditionFailed:
        raise StopsChangedMeanwhile from None
    scope.cache.forget(scope.tenant)
    return _answer(wanted, now)


def _stored(scope: TenantScope) -> tuple[int, Stops, Instant]:
    raw = scope.table.get(keys.stops(scope.tenant), consistent=True)
    if raw is None:
        return 0, Stops(), 0
    item = SettingsItem.read(raw)
    body = unpack(item.body)
    return int(item.version), Stops.model_validate(body["stops"]), int(body["at"])


def _answer(stops: Stops, at: Instant) -> StopsAnswer:
    return StopsAnswer(**stops.model_dump(), changed_at=format_rfc3339(at) if at else None)
