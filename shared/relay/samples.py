"""A sample envelope of each type of event, as ``events/samples`` has them."""

from __future__ import annotations

from typing import Any

from shared.relay.catalogue import COMMITTED, EventType


def sample_of(event: EventType) -> dict[str, Any]:
    """An envelope with one event of the type, as it is delivered."""
    type_ = event.type.replace("*", "app_opened")
    kind, _, rest = event.aggregate.partition(":")
    keys = {
        "member": f"M#{rest}",
        "delivery": f"M#{rest.partition(':')[0]}",
        "sale": "REQ#txn#till#mitte%7C2026-11-21%7C%7C1",
        "definition": "DEF",
        "tenant": "DEF",
        "fan_out": "FAN#regulars#000002",
        "campaign": f"CAMP#{rest}",
        "pool": f"POOL#{rest}",
        "export": f"EXP#{rest}",
        "counter": f"COUNTER#{rest.partition(':')[0]}",
    }
    told = {
        "id": f"{event.aggregate}:7:0",
        "type": type_,
        "occurred_at": COMMITTED - 1500,
        "data": {name: each.sample for name, each in event.data.items()},
    }
    envelope: dict[str, Any] = {"id": f"{event.aggregate}:7", "tenant": "demo", "key": f"T#demo#{keys[kind]}", "aggregate": event.aggregate}
    if kind in ("member", "delivery"):
        envelope["member"] = rest.partition(":")[0]
    return envelope | {
        "seq": 7,
        "committed_at": COMMITTED,
        "correlation_id": "c7f1d2aa-demo",
        "mode": "live",
        "types": [type_],
        "events": [told],
        "part": 1,
        "parts": 1,
    }
