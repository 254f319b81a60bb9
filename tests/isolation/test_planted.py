"""Everything that is stored, sent between us, or logged, after a guest's whole story: none of her personal values is in it in clear.

Every function runs as it is deployed (``Building``). What is looked through: both tables and each request to them, messages of queues,
events on the bus, records of the stream, log lines and metrics. Right and wrong calls alike: a refusal is where a value slips into a log.
"""

from __future__ import annotations

import gzip
import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.kernel.instants import DAY, format_rfc3339
from shared.members.form_links import KEY_PURPOSE, Invitation, seal_invitation
from shared.observability.logs import logger
from shared.privacy.crypto import derive
from shared.privacy.registry import GROUPS
from shared.storage.packing import pack
from tests.builders.planted import Needles
from tests.isolation.building import BY_OPERATION, Asked, Building, Image
from tests.isolation.cloud import MASTER
from tests.isolation.conftest import Street
from tests.isolation.filling import Tenant
from tests.isolation.test_walk import QUEUES

PROFILE: dict[str, Any] = {
    "first_name": "Zyphyrine", "last_name": "Quorvenhaus", "birth_date": "1973-02-11", "gender": "female", "language": "de",
    "phone": "+4915208675309", "email": "zyphyrine@quorvenmail.example", "street": "Wolkenkuckucksweg 77", "postal_code": "QX7 4ZWP",
    "city": "Obertüpfelbach", "country": "DE", "home": {"latitude_e6": 49_611_613, "longitude_e6": 36_131_935},
}  # fmt: skip
SAY_NOTHING = {"gender", "language", "country"}
"""Values of a few letters that many share: they cannot be looked for by their text. They lie in the same sealed groups as the others."""
CARD, EXTERNAL = "9870054321098765", "ext-quorven-4711"
SHOWN = "Yes, write to Zyphyrine wherever she is"
LATER = {"first_name": "Xantippina", "email": "xantippina@laterhaus.example", "phone": "+4917733991166", "city": "Unterschlupfing"}
"""What she changes her profile to."""
MEANT = {
    **{name: str(value) for name, value in PROFILE.items() if name not in SAY_NOTHING | {"home"}},
    "latitude": "49611613", "longitude": "36131935", "card": CARD, "external": EXTERNAL, "text shown": SHOWN,
    "device": "device-token-quorven-0815", **{f"later {name}": value for name, value in LATER.items()},
    "form street": "Nimmermehrgasse 13", "imported card": "8880066600055", "imported name": "Balthasarion",
    "imported e-mail": "balthasarion@importhaus.example", "second name": "Quendolina", "second card": "4440077700077744",
    "second e-mail": "quendolina@zweithaus.example", "second phone": "+4917655443322", "second city": "Doppelsheim",
    "staff e-mail": "kassiopeia@stafford.example",
}  # fmt: skip
TOLD_TO_RIGHTS = {"member.erased", "member.merged", "member.restriction_changed", "consent.confirmation_asked"}
PASSED_ON = {
    "sns": "a device's token goes to the push service, which alone keeps it",
    "cognito-idp": "addresses of staff go to the user pool, which alone keeps them",
    "s3": "uploads for workers, exports and access files: encrypted at rest, with short lives (docs/processing.md)",
}
"""Services of AWS that get personal values as such, and why."""


@dataclass
class Told:
    """The story, and all that it left behind."""

    building: Building
    tenant: Tenant
    asked_before: int
    delivered_before: int
    guest: str = ""
    stored: list[Image] = field(default_factory=list)
    """Tables at several points of the story."""
    printed: io.StringIO = field(default_factory=io.StringIO)
    answers: list[tuple[str, int]] = field(default_factory=list)

    @property
    def asked(self) -> list[Asked]:
        """Every request to a service since the story began."""
        return self.building.asked[self.asked_before :]

    def say(self, operation: str, body: Any, credential: str | None = None, **path: str) -> Any:
        """A call, whatever becomes of it."""
        headers = {"idempotency-key": f"story-{len(self.answers)}"}
        said = self.building.call(operation, credential or self.tenant.key, body, path=path, headers=headers)
        self.answers.append((operation, said.status))
        return said.body

    def work(self) -> None:
        """Let every consumer do what waits, and the relay tell what happened."""
        for detail in self.tenant.tell():
            if TOLD_TO_RIGHTS & set(detail["detail"]["types"]):
                self.building.deliver("member_rights", [detail])
        for _ in range(5):
            for queue, function in QUEUES.items():
                waiting = self.building.cloud.sqs.take(queue)
                if waiting:
                    self.building.deliver(function, waiting)
        self.stored.append(self.building.image())
        records = [{"eventName": "INSERT", "dynamodb": {"NewImage": item}} for item in self.stored[-1].values() if "out" in item]
        self.building.run("event_relay", {"Records": records})


@pytest.fixture(scope="module")
def told(street: Street) -> Iterator[Told]:
    """Once for all tests, by a third tenant in the street; she is gone afterwards."""
    building = street.building
    told = Told(building, Tenant(building, "planta", "plant", 321), len(building.asked), len(building.delivered))
    lines, now = logging.StreamHandler(told.printed), building.now
    lines.setFormatter(logger().handlers[0].formatter)
    logger().addHandler(lines)
    try:
        with redirect_stdout(told.printed):
            told.tenant.fill()
            _tell(told)
    finally:
        logger().removeHandler(lines)
    yield told
    building.now = now
    street.clean()


def _tell(told: Told) -> None:
    yes = {"purpose": "marketing", "granted": True, "document_version": "v1", "text_shown": SHOWN}
    joined = told.say("register_member", {
        "source": "app", "profile": PROFILE, "identifiers": [{"kind": "card", "value": CARD}, {"kind": "external", "value": EXTERNAL}],
        "consents": [yes | {"channel": channel} for channel in ("email", "inbox", "push", "sms")],
        "device": {"platform": "gcm", "token": MEANT["device"]}, "remember": True,
    })  # fmt: skip
    told.guest, own = joined["member_id"], joined["access_token"]
    told.work()
    for kind, value, sender in (("phone", PROFILE["phone"], "sms"), ("email", PROFILE["email"], "email")):
        otp = told.say("send_code", {"kind": kind, "value": value})
        (code,) = re.findall(r"\b[0-9]{6}\b", told.building.senders[sender].taken[-1][1].body)
        told.say("prove_identifier_of_me", {"otp_id": otp["otp_id"], "code": code}, own)
        told.say("identify_member", {"kind": kind, "value": value})
    told.say("set_consents_of_me", {"consents": [yes | {"channel": "email"}]}, own)
    for kind, value in (("card", CARD), ("external", EXTERNAL), ("email", "nobody-" + PROFILE["email"])):
        told.say("identify_member", {"kind": kind, "value": value})
    told.building.now += 60_000
    told.say("record_transaction", told.tenant.sale("planted-1") | {"member": {"kind": "card", "value": CARD}})
    told.say("quote", {key: value for key, value in told.tenant.sale("x").items() if key not in ("business_date", "receipt_number")}
             | {"member": {"kind": "phone", "value": PROFILE["phone"]}})  # fmt: skip
    _is_written_to(told)
    _fills_a_form(told)
    told.say("update_member", {"profile": LATER}, member_id=told.guest)
    told.say("import_members", {"members": [{
        "source": "old till", "identifiers": [{"kind": "card", "value": MEANT["imported card"]}],
        "profile": {"first_name": MEANT["imported name"], "email": MEANT["imported e-mail"]},
    }, {"source": "old till", "identifiers": [{"kind": "card", "value": CARD}], "profile": {"email": "no address " + SHOWN}}]})  # fmt: skip
    told.work()
    _is_restricted(told)
    _turns_out_to_be_two(told)
    _works_there(told)
    _goes_wrong(told)
    told.say("ask_access", None, member_id=told.guest)
    rule = {"kind": "bucket", "salt": "a", "from": 0, "until": 100}
    told.say("export_members", {"rule": rule, "columns": ["member_id", "first_name", "email", "phone"]})
    told.work()
    told.say("erase_member", None, member_id=told.guest)
    told.work()


def _is_restricted(told: Told) -> None:
    """By staff, so that she is written that it began and ended."""
    for body in ({"restricted": True, "reason": "legal_claims"}, {"restricted": False}):
        told.building.now += 60_000
        told.say("set_restriction", body, member_id=told.guest)
        told.work()


def _turns_out_to_be_two(told: Told) -> None:
    """A second membership of hers, with fields of its own: looked at, merged, and called by its old id afterwards."""
    second = {"first_name": MEANT["second name"], "city": MEANT["second city"], "email": MEANT["second e-mail"],
              "phone": MEANT["second phone"]}  # fmt: skip
    other = told.say("register_member", {
        "source": "counter", "profile": second, "identifiers": [{"kind": "card", "value": MEANT["second card"]}],
        "consents": [{"purpose": "marketing", "channel": "email", "granted": True, "document_version": "v1", "text_shown": SHOWN}],
    })["member_id"]  # fmt: skip
    told.work()
    told.building.now += 60_000
    told.say("record_transaction", told.tenant.sale("planted-2") | {"member": {"kind": "card", "value": MEANT["second card"]}})
    told.work()
    for dry_run in (True, False):
        body = {"from_member_id": other, "reason": "same_person", "dry_run": dry_run}
        assert told.say("merge_member", body, member_id=told.guest)["conflicts"], "both have a name"
    told.work()
    assert told.say("get_merge", None, member_id=other)["status"] == "completed"
    told.say("get_member", None, member_id=other)
    told.say("identify_member", {"kind": "card", "value": MEANT["second card"]})
    told.building.now += 60_000
    told.say("record_transaction", told.tenant.sale("planted-3") | {"member": {"id": other}})
    wrong = {"from_member_id": MEANT["second phone"], "reason": MEANT["second name"], "note": MEANT["second e-mail"]}
    told.say("merge_member", wrong, member_id=told.guest)
    told.say("merge_member", wrong | {"reason": "same_person"}, member_id=MEANT["second card"])


def _works_there(told: Told) -> None:
    """Somebody of the staff, whose address goes to the user pool and nowhere else."""
    one = told.say("invite_staff", {"email": MEANT["staff e-mail"], "group": "marketer"})
    told.say("change_staff", {"sign_out": True}, staff_id=one["staff_id"])
    told.say("list_staff", None)
    told.say("invite_staff", {"email": MEANT["staff e-mail"], "group": MEANT["staff e-mail"]})
    told.say("change_staff", {"label": 1, "email": MEANT["staff e-mail"]}, staff_id=MEANT["staff e-mail"])
    told.say("remove_staff", None, staff_id=one["staff_id"])


def _is_written_to(told: Told) -> None:
    """A note that calls her by her name."""
    text = {"title": "For {{ member.first_name }}", "body": "Dear {{ member.first_name }} {{ member.last_name }}"}
    note = {"id": "tell", "channel": "inbox", "content": {"en": text}}
    letter = {"id": "write", "channel": "email", "content": {"en": text | {"body": text["body"] + " {{ unsubscribe_link }}"}}}
    body = {"name": "Personal", "trigger": {"kind": "api"}, "steps": [note, letter]}
    told.say("create_campaign", {"id": "planta-personal", "definition": body})
    told.say("publish_campaign", {}, definition_id="planta-personal")
    told.building.now += 120_000
    told.say("launch_campaign", None, campaign_id="planta-personal")
    told.say("trigger_campaign", {"key": "p1", "recipients": [{"member_id": told.guest}]}, campaign_id="planta-personal")
    told.work()
    told.say("preview_campaign", {"member_id": told.guest, "step": "write", "channel": "email"}, campaign_id="planta-personal")


def _fills_a_form(told: Told) -> None:
    until = told.building.now + 30 * DAY
    invitation = Invitation("planta", told.guest, "planta-personal", "tell", ("street", "birth_date"), None, until)
    token = seal_invitation(derive(MASTER.encode(), KEY_PURPOSE), invitation)
    told.say("submit_form", {"values": {"street": MEANT["form street"], "birth_date": "not " + PROFILE["birth_date"]}}, token=token)
    told.say("submit_form", {"values": {"street": MEANT["form street"], "birth_date": PROFILE["birth_date"]}}, token=token)


def _goes_wrong(told: Told) -> None:
    """Her values wherever a broken caller may put them."""
    number, name = PROFILE["phone"], PROFILE["last_name"]
    told.say("register_member", {"source": "app", "identifiers": [{"kind": "phone", "value": number, "nickname": name}]})
    told.say("register_member", {"source": name, "profile": {"email": f"{name} at home", "birth_date": name}, "colour": number})
    told.say("register_member", '{"source": "app", "profile": {"email": "' + PROFILE["email"] + '"')
    told.say("register_member", {"source": "app", "identity": {"provider": "apple", "token": f"x.{name}.y", "nonce": number}})
    told.say("identify_member", {"kind": "phone", "value": f"{number} {name}"})
    told.say("identify_member", {"kind": number, "value": name})
    told.say("get_member", None, member_id=PROFILE["email"])
    told.say("get_member", None, member_id=number)
    told.say("update_member", {"profile": {"email": SHOWN}}, member_id=told.guest)
    told.say("update_member", {"attributes": {name: number}}, member_id=number)
    told.say("send_code", {"kind": "email", "value": f"{name}@@{number}"})
    told.say("get_tokens", {"grant": "otp", "otp_id": number, "code": name}, None)
    told.say("record_transaction", told.tenant.sale("wrong") | {"member": {"kind": "card", "value": name + " " * 40}})
    told.say("submit_form", {"values": {"street": MEANT["form street"]}}, token=MEANT["form street"])
    told.building.call("list_ledger", told.tenant.key, path={"member_id": told.guest}, query={"phone": number, "cursor": PROFILE["email"]})
    told.building.call("get_member", f"lyk_{number}_{name}", path={"member_id": number})
    told.building.deliver("registration", [{"tenant": "planta", "job": number, "email": PROFILE["email"]}], may_fail=True)


def test_the_story_was_told(told: Told) -> None:
    """Each call of it was good, but for those that were meant to be refused."""
    wrong = [each for each in told.answers if each[1] >= 500]
    assert wrong == []
    good = {operation for operation, status in told.answers if status < 400}
    assert good >= {
        "register_member", "send_code", "prove_identifier_of_me", "identify_member", "record_transaction", "quote", "trigger_campaign",
        "preview_campaign", "submit_form", "update_member", "import_members", "ask_access", "export_members", "erase_member",
        "set_restriction", "merge_member", "invite_staff", "change_staff", "remove_staff",
    }  # fmt: skip
    letters = [message.body for _address, message in told.building.senders["email"].taken]
    assert any(PROFILE["last_name"] in each for each in letters), "nothing was written to her"
    addresses = [address for address, _message in told.building.senders["email"].taken]
    assert {LATER["email"], MEANT["second e-mail"]} <= set(addresses), "restriction and consent were not told of"
    assert any(Needles(MEANT).found(asked.request) for asked in told.asked if asked.operation == "admin_create_user"), "nobody was invited"


def test_every_field_of_the_profile_is_planted() -> None:
    assert {name for names in GROUPS.values() for name in names} == PROFILE.keys()


def test_tables_hold_none_of_her_values_in_clear(told: Told) -> None:
    needles = Needles(MEANT)
    for image in told.stored:
        bad = {f"{pk} {sk}": found for (_table, pk, sk), item in image.items() if (found := needles.found(pk, sk, item))}
        assert bad == {}


def test_no_request_to_a_service_has_them(told: Told) -> None:
    """Tables, queues, the bus, whatever else: every request that any function made."""
    needles = Needles(MEANT)
    bad = [
        (asked.function, asked.service, asked.operation, found)
        for asked in told.asked
        if asked.service not in PASSED_ON and not _is_put_aside(asked) and (found := needles.found(asked.request))
    ]
    assert bad == [], bad


def _is_put_aside(asked: Asked) -> bool:
    """A message that none of ours sent goes to the dead letters as it came."""
    return asked.request.get("QueueUrl") == "dead_letter_url" and PROFILE["phone"] in asked.request["MessageBody"]


def test_no_message_of_a_queue_and_no_event_has_them(told: Told) -> None:
    needles = Needles(MEANT)
    delivered = told.building.delivered[told.delivered_before :]
    ours = [(function, body) for function, body in delivered if body.get("job") != PROFILE["phone"]]
    assert [(function, found) for function, body in ours if (found := needles.found(body))] == []
    sent = {asked.operation for asked in told.asked if asked.service in ("sqs", "events")}
    assert {"send_message", "put_events"} <= sent, "nothing was looked at"


def test_no_line_of_a_log_has_them(told: Told) -> None:
    needles, lines = Needles(MEANT), told.printed.getvalue().splitlines()
    assert len(lines) > len(told.answers), "a line a call at least"
    assert any('"level":"ERROR"' in each or '"level":"WARNING"' in each for each in lines), "nothing went wrong enough to be logged"
    assert [(found, line[:400]) for line in lines if (found := needles.found(line))] == []


def test_nothing_of_the_erased_guest_opens_any_more(told: Told) -> None:
    left = {sk for (table, pk, sk) in told.stored[-1] if table == told.building.keys and told.guest in pk}
    assert left == set()


@pytest.mark.parametrize(
    "hidden",
    [
        {"a": {"S": "x Zyphyrine y"}},
        {"a": {"B": pack({"deep": ["ZYPHYRINE"]})}},
        {"a": {"B": gzip.compress(b"my name is Zyphyrine.")}},
        {"a": {"S": json.dumps({"b": "Obertüpfelbach"})}},
        "Ober%C3%BCpf Obert%C3%BCpfelbach",
        "eyJlIjoienlwaHlyaW5lQHF1b3J2ZW5tYWlsLmV4YW1wbGUifQ",
        {"sk": "BIRTHDAY#19730211"},
        "call 015208675309",
        b"\x00\x00Quorvenhaus",
    ],
)
def test_the_search_finds_what_is_hidden(hidden: Any) -> None:
    assert Needles(MEANT).found(hidden)


def test_the_search_finds_nothing_in_what_is_none() -> None:
    assert Needles(MEANT).found({"a": {"S": "Zephyr"}, "at": format_rfc3339(0)}, list(BY_OPERATION)) == []

