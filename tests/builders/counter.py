"""A tenant whose counter asks and looks, its tills, and its cards."""

from __future__ import annotations

import uuid
from typing import Any

from shared.counter.identification import Identification, seal
from shared.counter.model import How
from shared.counter.repository import Confirmation, ConfirmationRepository
from shared.kernel.ids import new_ulid
from shared.kernel.instants import MINUTE
from shared.members.repository import MemberRepository
from shared.storage import keys
from shared.storage.items import SettingsItem
from shared.storage.packing import pack
from shared.storage.table import WriteBatch
from shared.tenants.counter import CounterSettings
from shared.transactions.api import HoldRequest, MemberReference, TransactionRequest
from tests.builders.house import SETTINGS, House, sale

TILL = "demo-till1"
CARD = "5000 1234 5678"


def asking(house: House, **counter: Any) -> House:
    """The tenant with these settings of the counter."""
    settings = SETTINGS.model_copy(update={"counter": CounterSettings.model_validate(counter)})
    house.table.put(SettingsItem.at(keys.settings(house.tenant), version=2, body=pack(settings.model_dump(mode="json"))))
    house.cache.forget(house.tenant)
    return house


def identified(house: House, member: str, how: How = "qr", caller: str = TILL, location: str = "") -> str:
    """What a till has after it identified her."""
    return seal(house.scope(), Identification(member, how, caller, location))


def confirmed(house: House, member: str, points: int = 0, value: int = 0, location: str = "mitte", **more: Any) -> str:
    """A confirmation that she gave."""
    fields: dict[str, Any] = {"state": "confirmed", "way": "app", "until": house.now + 10 * MINUTE, "caller": TILL} | more
    made = Confirmation(member=member, ulid=new_ulid(house.now), location=location, points=points, value=value, **fields)
    ConfirmationRepository(house.tenant, house.table).put(made)
    return made.id


def give_card(house: House, member: str, number: str = CARD, kind: str = "card") -> None:
    """An identifier of hers."""
    bare = number.replace(" ", "")
    blind = house.scope().blind(kind, bare)
    members, batch = MemberRepository(house.tenant, house.table), WriteBatch()
    members.add_identifier(batch, "identifier", kind, blind, member)
    members.add_held(batch, member, [(kind, blind)])
    house.table.transact(batch, str(uuid.uuid4()))


def shown(reference: dict[str, str], **more: Any) -> TransactionRequest:
    """A sale to whoever showed this."""
    return sale(None, **more).model_copy(update={"member": MemberReference.model_validate(reference)})


def basket_of(request: TransactionRequest, **more: Any) -> HoldRequest:
    """A hold for the basket of a sale."""
    left_out = {"business_date", "receipt_number", "mode", "training", "offline", "tenders", "hold_id"}
    return HoldRequest.model_validate(request.model_dump(exclude=left_out) | {"basket_id": f"b-{request.receipt_number}"} | more)
