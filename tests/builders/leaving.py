"""A member of whom there is something of everything, and what is left of her after she was forgotten."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from shared.campaigns.deliveries import DeliveryRepository
from shared.campaigns.model import Delivery
from shared.counter.repository import Confirmation, ConfirmationRepository
from shared.coupons.issuing import blind_code, issued, new_coupon
from shared.coupons.repository import CouponRepository
from shared.erasure.steps import Hands
from shared.erasure.working import work
from shared.kernel.ids import new_id, new_ulid
from shared.kernel.instants import DAY, MINUTE
from shared.member_state.service import Change, Occasion, change_member
from shared.members.repository import MemberRepository, StoredProfile
from shared.messaging.inbox import InboxRepository
from shared.messaging.port import Message
from shared.rewards.model import key_of
from shared.segments.listing import _put_row
from shared.storage import keys, keys_access
from shared.storage.errors import RawItem
from shared.storage.items_access import SessionItem
from shared.storage.packing import unpack
from shared.tenants.rights import ConsentSettings
from shared.transactions import holds
from shared.transactions.api import HoldRequest
from shared.transactions.service import record
from tests.builders.front import Front, settings_with_everything
from tests.builders.house import FRIES, PROGRAMME, sale
from tests.fakes.queue import FakeQueue

PHONE, EMAIL, OTHER_EMAIL, CARD = "+4915112345678", "anna.planted@example.com", "late.planted@example.com", "77889900"
PROFILE = {"first_name": "Annaplanted", "last_name": "Schmidtplanted", "birth_date": "1990-04-21", "street": "Plantedgasse 4",
           "email": EMAIL}  # fmt: skip
PLANTED = (PHONE, EMAIL, OTHER_EMAIL, CARD, "Annaplanted", "Schmidtplanted", "Plantedgasse", "planted words", "planted-link")
STOCK = 40
"""One shard."""
MUG = {"name": "Mug", "price": 3, "gives": {"kind": "item", "item": "mug"}, "stock": STOCK}
REGULARS = {"name": "Regulars", "rule": {"kind": "purchases", "metric": "count", "days": 30, "op": "ge", "value": 1}}
_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


@dataclass
class Life:
    """Her, and what was hers."""

    member: str
    coupon: str
    code: str
    held: str


def furnish(front: Front) -> None:
    """A tenant with a programme, an offer, a reward and a segment."""
    house = front.house
    house.create(settings_with_everything().model_copy(update={"consents": ConsentSettings(double_opt_in=False)}))
    house.publish("programme", "points", PROGRAMME)
    house.publish("offer", "fries", FRIES)
    house.publish("reward", "mug", MUG)
    house.publish("segment", "regulars", REGULARS, epoch=1)
    CouponRepository(house.tenant, house.table).create_quota(key_of("mug"), STOCK)


def live(front: Front) -> Life:
    """A member who has done everything there is to do."""
    house = front.house
    consents = [
        {"purpose": "marketing", "channel": channel, "granted": True, "document_version": "1", "text_shown": "planted words"}
        for channel in ("email", "push")
    ]
    identifiers = [{"kind": "phone", "value": PHONE, "proof": "otp"}, {"kind": "card", "value": CARD}]
    member = front.register(
        identifiers=identifiers, profile=PROFILE, attributes={"note": "planted words"}, tags=["press"], consents=consents,
        device={"platform": "apns", "token": "token-of-her-phone"}, time_zone="Europe/Vienna",
    )  # fmt: skip
    front.call("get_referral_code", member_id=member)
    for days in (50, 0):
        house.now += 0 if days else 50 * DAY
        record(house.scope(), sale(member, house.now, receipt_number=f"bought-{days}"))
    front.call("claim_reward", {"reward_id": "mug"}, member_id=member, headers={"idempotency-key": "a-mug"})
    (coupon, code), (held, _) = _coupon(front, member), _coupon(front, member)
    holds.place(house.scope(), HoldRequest.model_validate(_basket(member, held, house.now)))
    _messages(front, member)
    _put_row(house.scope(), member, "regulars", 1, 1, True, house.now)
    _put_row(house.scope(), member, "was-in", 2, 1, False, house.now)
    session = keys_access.session(house.tenant, member, "family")
    ConfirmationRepository(house.tenant, house.table).put(
        Confirmation(member, new_ulid(house.now), "asked", "app", "mitte", 5, 0, house.now + 10 * MINUTE, "demo-till")
    )
    house.table.put(SessionItem.at(session, digest=b"x" * 32, generation=1, created_at=house.now, rotated_at=house.now))
    return Life(member, coupon, code, held)


def finish(front: Front, member: str) -> bool:
    """Let the worker go on; answers whether it says that it is done."""
    return work(Hands(front.house.scope(), front.push), member, FakeQueue())


def remains(front: Front, *sks: str) -> list[RawItem]:
    """What is in the tables of this tenant, of these sort keys or all."""
    house = front.house
    found: list[RawItem] = []
    for table in (house.table, house.key_table):
        rows = table._client.scan(TableName=table.name, ConsistentRead=True)["Items"]
        found += [raw for raw in rows if raw["PK"]["S"].startswith(keys.prefix(house.tenant))]
    return [raw for raw in found if not sks or raw["SK"]["S"].startswith(sks)]


def plainly(front: Front, life: Life) -> list[str]:
    """What is about her, without what is by chance: two lives that ended the same way read the same."""
    rows = [raw for raw in remains(front) if _is_about(raw, life)]
    texts = [json.dumps(readable(raw), sort_keys=True) for raw in rows]
    return sorted(_ULID.sub("ULID", text).replace(front.house.tenant, "tenant") for text in texts)


def readable(raw: RawItem) -> dict[str, Any]:
    """An item with its packed bodies opened."""
    return {name: _value(value) for name, value in raw.items()}


def _value(value: dict[str, Any]) -> Any:
    ((kind, inside),) = value.items()
    if kind != "B":
        return sorted(inside) if kind == "SS" else inside
    try:
        return unpack(inside)
    except (ValueError, EOFError, OSError):
        return inside.hex()
    except Exception as error:
        return type(error).__name__


def _is_about(raw: RawItem, life: Life) -> bool:
    pk = raw["PK"]["S"]
    named = "#ID#" in pk or "#SUP#" in pk or "#REWARD#" in pk
    return named or life.member in pk or pk.endswith((life.coupon, life.held))


def _basket(member: str, coupon: str, now: int) -> dict[str, Any]:
    body = sale(member, now, lines=(("fries", 350),)).model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    for name in ("business_date", "receipt_number"):
        del body[name]
    return body | {"basket_id": "b1", "coupons": [{"id": coupon}]}


def _coupon(front: Front, member: str) -> tuple[str, str]:
    house = front.house
    scope, now = house.scope(), house.now
    coupon, code = new_coupon(scope, "fries", house.state(member), now, "test")

    def put(_after: Any, _effects: Any, batch: Any) -> None:
        CouponRepository(house.tenant, house.table).add_new(batch, coupon, blind_code(scope, code))

    change_member(scope, member, Occasion(now), lambda _state, _stale: Change([issued(coupon, now)], put))
    assert code is not None
    return coupon.id, code


def _messages(front: Front, member: str) -> None:
    """One in her inbox, and rows of deliveries: one with links, one for a person to look at."""
    house = front.house
    cipher = house.scope().cipher(member)
    origin = {"tenant": house.tenant, "member": member, "delivery": "dlv_1", "campaign": "summer", "step": "tell"}
    InboxRepository(house.tenant, house.table).put(cipher, member, Message("Hi", "planted words", {}, origin=origin, at=house.now))
    deliveries = DeliveryRepository(house.tenant, house.table, house.scope().effort)
    links = cipher.seal_json("links", ["https://example.com/planted-link"])
    for occurrence, state in (("once", "sent"), ("twice", "failed")):
        row = Delivery("summer", 1, "tell", occurrence, member, "email", state, house.now, data=links, language="de", exposure=True)  # type: ignore[arg-type]
        house.table.put(deliveries.item(None, row, house.now))


def somebody() -> str:
    """The id of nobody."""
    return new_id("mbr", 0)


def profile_of(raw: RawItem) -> StoredProfile:
    """The sealed profile of an item."""
    return MemberRepository.decode_profile(raw)
