"""The envelope of a commit: what the table's stream says of an item that carries events, in the form of the bus. Pure.

``{id, tenant, key, aggregate, member?, seq, committed_at, correlation_id, mode, types, events, part, parts, touched?}``, each event
``{id, type, occurred_at, data, cause?}``. Instants are milliseconds. ``seq`` orders the envelopes of one aggregate; an event's
id ``<aggregate>:<seq>:<i>`` is the same however often it is delivered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final
from urllib.parse import unquote

from shared.kernel.errors import InvalidValue
from shared.kernel.ids import natural_id
from shared.storage.errors import RawItem
from shared.storage.keys import CODED, STOPS, tenant_of

MAX_DETAIL_BYTES: Final = 240_000
"""Of one entry of the bus, which takes 256 KB with everything around it."""
_INDEX_KEYS: Final = ("GSI1PK", "GSI2PK")


class Unreadable(InvalidValue):
    """A record of the stream that is no commit of ours. The text says why, without values."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The events of one commit about one aggregate, in the order they happened."""

    id: str
    tenant: str
    key: str
    """The partition key that the commit wrote: workers compare it with the tenant."""
    aggregate: str
    member: str | None
    seq: int
    committed_at: int
    correlation_id: str
    mode: str
    events: tuple[dict[str, Any], ...]
    part: int = 1
    parts: int = 1
    touched: tuple[str, ...] = ()
    """Campaigns that touched the member, or held her out, in the 30 days before: only where something is told that one may aim at."""

    @property
    def types(self) -> list[str]:
        """The types inside, each once."""
        return list(dict.fromkeys(event["type"] for event in self.events))

    def detail(self) -> dict[str, Any]:
        """As it travels. ``member`` and ``touched`` are left out where there are none."""
        body = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        return body | {"types": self.types, "events": list(self.events)}


def of_record(record: Mapping[str, Any]) -> Envelope | None:
    """The envelope of a stream record, or ``None`` if it tells nothing new. ``Unreadable`` for anything that is not ours.

    A record whose ``out`` is what it was at the same version is a change without events: the old envelope is not told again.
    """
    change = record.get("dynamodb") or {}
    new, old = change.get("NewImage"), change.get("OldImage") or {}
    if not new or "out" not in new:
        return None
    try:
        aggregate, sequence = _aggregate(new)
        told_before = old.get("out") == new["out"] and _number(old, sequence) == _number(new, sequence)
        if told_before:
            return None
        _check_tenant(change, new)
        return _envelope(new, aggregate, _number(new, sequence))
    except Unreadable:
        raise
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        # Without the cause: its text may quote the item.
        raise Unreadable(f"not a commit of ours ({type(error).__name__})") from None


def received(detail: Any) -> Envelope:
    """What a worker got from the bus. ``Unreadable`` for anything else."""
    try:
        fields = {name: detail[name] for name in ("id", "tenant", "key", "aggregate", "seq", "committed_at", "correlation_id", "mode")}
        envelope = Envelope(
            **fields,
            member=detail.get("member"),
            events=tuple(detail["events"]),
            part=detail.get("part", 1),
            parts=detail.get("parts", 1),
            touched=tuple(detail.get("touched", ())),
        )
        typed = isinstance(envelope.tenant, str) and isinstance(envelope.seq, int) and all(event["type"] for event in envelope.events)
        of_its_tenant = tenant_of(envelope.key) == envelope.tenant
    except (KeyError, TypeError, AttributeError, ValueError):
        raise Unreadable("not an envelope") from None
    if not (typed and of_its_tenant):
        raise Unreadable("the envelope's tenant is not that of its key")
    return envelope


def split(envelope: Envelope, limit: int = MAX_DETAIL_BYTES) -> list[Envelope]:
    """The envelope in parts that each fit an entry of the bus: usually itself. ``Unreadable`` if one event alone does not fit."""
    if _size(envelope.detail()) <= limit:
        return [envelope]
    room = limit - _size({**envelope.detail(), "events": []}) - 64
    chunks: list[list[dict[str, Any]]] = [[]]
    used = 0
    for event in envelope.events:
        # Its type may stand in ``types`` once more.
        size = _size(event) + len(event["type"]) + 4
        if size > room:
            raise Unreadable("an event is larger than the bus takes")
        if used + size > room:
            chunks.append([])
            used = 0
        chunks[-1].append(event)
        used += size
    return [
        replace(envelope, id=f"{envelope.id}:{number}", events=tuple(chunk), part=number, parts=len(chunks))
        for number, chunk in enumerate(chunks, 1)
    ]


def dump(value: Any) -> str:
    """JSON as it is sent."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _envelope(new: RawItem, aggregate: str, seq: int) -> Envelope:
    out = json.loads(new["out"]["S"])
    pk = new["PK"]["S"]
    events = tuple(_event(f"{aggregate}:{seq}:{index}", row) for index, row in enumerate(out["e"]))
    if not events:
        raise Unreadable("an envelope without events")
    return Envelope(
        id=f"{aggregate}:{seq}",
        tenant=tenant_of(pk),
        key=pk,
        aggregate=aggregate,
        member=aggregate.removeprefix("member:") if aggregate.startswith("member:") else _text(new, "member") or _text(new, "m"),
        seq=seq,
        committed_at=int(out["t"]),
        correlation_id=out.get("c", ""),
        mode=out.get("m", "live"),
        events=events,
        touched=tuple(out.get("w", ())),
    )


def _event(id_: str, row: list[Any]) -> dict[str, Any]:
    type_, occurred_at, data, *cause = row
    event = {"id": id_, "type": str(type_), "occurred_at": int(occurred_at), "data": dict(data)}
    return event | {"cause": cause[0]} if cause else event


def _check_tenant(change: Mapping[str, Any], new: RawItem) -> None:
    """Every key of the item, and the tenant that it names itself, are of the tenant whose partition it is in."""
    tenant = tenant_of(new["PK"]["S"])
    named = [tenant_of(new[name]["S"]) for name in _INDEX_KEYS if name in new]
    named.append(tenant_of((change.get("Keys") or new)["PK"]["S"]))
    if _text(new, "tenant") is not None:
        named.append(new["tenant"]["S"])
    if any(each != tenant for each in named):
        raise Unreadable("the item names another tenant than its key")


def _aggregate(new: RawItem) -> tuple[str, str]:
    """What the item is about, and the attribute that orders its commits."""
    parts, sk = new["PK"]["S"].split("#"), new["SK"]["S"]
    kind = _KINDS.get((parts[2], sk)) or _KINDS.get((parts[2], sk.partition("#")[0])) or _KINDS.get((parts[2], "*"))
    if parts[0] != "T" or kind is None:
        raise Unreadable("no aggregate has this kind of key")
    return kind(parts, sk, new)


def _member(parts: list[str], _sk: str, _new: RawItem) -> tuple[str, str]:
    return f"member:{parts[3]}", "version"


def _delivery(parts: list[str], sk: str, _new: RawItem) -> tuple[str, str]:
    return f"delivery:{parts[3]}:{sk.partition('#')[2]}", "seq"


def _coupon(parts: list[str], _sk: str, _new: RawItem) -> tuple[str, str]:
    return f"coupon:{parts[3]}", "version"


def _coded_coupon(parts: list[str], _sk: str, _new: RawItem) -> tuple[str, str]:
    return f"coupon:{CODED}{parts[3]}", "version"


def _pool(parts: list[str], _sk: str, _new: RawItem) -> tuple[str, str]:
    return f"pool:{parts[3]}", "version"


def _sale(parts: list[str], _sk: str, _new: RawItem) -> tuple[str, str]:
    _, _, _, kind, source, natural = parts
    if kind != "txn":
        return f"request:{kind}:{source}:{natural}", "v"
    fields = [each.replace("%7C", "|").replace("%25", "%") for each in unquote(natural).split("|")]
    return f"sale:{natural_id('txn', (unquote(source), *fields))}", "v"


def _definition(parts: list[str], sk: str, _new: RawItem) -> tuple[str, str]:
    if sk == STOPS:
        return f"tenant:{parts[1]}", "version"
    kind, _, rest = sk.partition("#")
    id_, _, version = rest.partition("#")
    if not version.isdigit():
        raise Unreadable("no definition has this kind of key")
    return f"definition:{kind.lower()}:{unquote(id_)}@{int(version)}", "revision"


def _campaign(parts: list[str], _sk: str, _new: RawItem) -> tuple[str, str]:
    return f"campaign:{unquote(parts[3])}", "revision"


def _fan_out(parts: list[str], _sk: str, _new: RawItem) -> tuple[str, str]:
    return f"fan_out:{unquote(parts[3])}@{int(parts[4])}", "epoch"


def _export(parts: list[str], _sk: str, _new: RawItem) -> tuple[str, str]:
    return f"export:{parts[3]}", "revision"


def _count(parts: list[str], sk: str, _new: RawItem) -> tuple[str, str]:
    _, location, cashier, rule = sk.split("#")
    return f"counter:{parts[3]}:{unquote(location)}:{unquote(cashier)}:{rule}", "revision"


_Kind = Callable[[list[str], str, RawItem], tuple[str, str]]
_KINDS: Final[dict[tuple[str, str], _Kind]] = {
    ("M", "STATE"): _member,
    ("M", "DLV"): _delivery,
    ("CPN", "CPN"): _coupon,
    ("CODE", "CODE"): _coded_coupon,
    ("POOL", "POOL"): _pool,
    ("REQ", "REQ"): _sale,
    ("CAMP", "CAMP"): _campaign,
    ("FAN", "FAN"): _fan_out,
    ("EXP", "EXP"): _export,
    ("COUNTER", "COUNT"): _count,
    ("DEF", "*"): _definition,
    ("OFFERS", "*"): _definition,
}


def _number(item: RawItem, name: str) -> int:
    return int(item[name]["N"]) if name in item else 1


def _text(item: RawItem, name: str) -> str | None:
    value = item.get(name)
    return value.get("S") if value else None


def _size(value: Any) -> int:
    return len(dump(value).encode())
