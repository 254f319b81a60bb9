"""The fence round test environments: what goes through it, and that there is no way round it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from shared.aws import senders as wiring
from shared.kernel.errors import Unavailable
from shared.messaging.fence import Fence, marked, may_go_out
from shared.messaging.outbox import Outbox
from shared.messaging.port import Message, Sent, Throttled, Withheld
from shared.tenants.messaging import CHANNELS, Channel, MessagingSettings
from tests.fakes.senders import FakeSender

ROOT = Path(__file__).parents[3]
ANNA, BEA = "mbr_01KAJ5XW0000000000000000AA", "mbr_01KAJ5XW0000000000000000AB"
LIVE = {"tenant": "corner", "member": ANNA, "delivery": "dlv_1", "campaign": "c", "step": "s"}
MESSAGE = Message("Fries", "1 € today", origin={**LIVE, "tenant": "corner-test"})
ALLOWED = MessagingSettings(test_recipients=("QA@Example.com ", "+49 30 901820", ANNA)).test_recipients


def nobody(tenant: str) -> tuple[str, ...]:
    raise AssertionError(f"{tenant} was asked for its list")


# -- the list ---------------------------------------------------------------------------------------------------------------


def test_the_list_is_kept_in_one_spelling() -> None:
    assert ALLOWED == ("qa@example.com", "+4930901820", ANNA)


@pytest.mark.parametrize("text", ["", "qa", "qa@", "030 901820", "+49", "mbr_1", "https://x.example", f"{ANNA}0"])
def test_what_is_nobody_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        MessagingSettings(test_recipients=(text,))


def test_the_list_is_short() -> None:
    many = tuple(f"qa{number}@example.com" for number in range(51))
    assert len(MessagingSettings(test_recipients=many[:50]).test_recipients) == 50
    with pytest.raises(ValidationError):
        MessagingSettings(test_recipients=many)


# -- the decision -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "address", "member", "goes"),
    [
        ("email", "qa@example.com", "", True),
        ("email", "Qa@EXAMPLE.com", BEA, True),
        ("email", "qa@example.com.evil.example", "", False),
        ("email", "anna@example.com", ANNA, False),
        ("sms", "+4930901820", "", True),
        ("sms", "+49 (30) 901820", "", True),
        ("sms", "+4930901821", ANNA, False),
        ("sms", "no number", ANNA, False),
        ("push", "arn:of-a-device", ANNA, True),
        ("push", "arn:of-a-device", BEA, False),
        ("push", ANNA, BEA, False),
        ("push", "arn:of-a-device", "", False),
        ("inbox", BEA, BEA, True),
        ("webhook", "crm", BEA, True),
        ("pigeon", "qa@example.com", ANNA, False),
    ],
)
def test_a_message_goes_to_whom_the_list_names(channel: Any, address: str, member: str, goes: bool) -> None:
    assert may_go_out(channel, address, member, ALLOWED) is goes


@pytest.mark.parametrize("channel", CHANNELS)
def test_without_a_list_nothing_leaves_the_house(channel: Channel) -> None:
    stays = channel in ("inbox", "webhook")
    assert may_go_out(channel, "qa@example.com", ANNA, ()) is stays


def test_the_subject_of_a_letter_says_what_it_is() -> None:
    assert marked("email", MESSAGE).title == "[TEST] Fries"
    assert [marked(channel, MESSAGE) == MESSAGE for channel in CHANNELS] == [channel != "email" for channel in CHANNELS]


# -- the fence --------------------------------------------------------------------------------------------------------------


def test_a_live_tenants_message_goes_on_as_it_is_and_nothing_is_asked() -> None:
    sender, message = FakeSender(), replace(MESSAGE, origin=LIVE)
    assert Fence("email", sender, nobody).send("anna@example.com", message) == Sent("msg-1")
    assert sender.taken == [("anna@example.com", message)]


def test_a_message_to_a_stranger_is_withheld_and_laid_aside() -> None:
    sender, aside = FakeSender(), []
    fence = Fence("email", sender, lambda _tenant: ALLOWED, lambda *what: aside.append(what))
    assert fence.send("anna@example.com", MESSAGE) == Withheld("test_mode")
    assert (sender.taken, aside) == ([], [("anna@example.com", MESSAGE, "test_mode")])


def test_a_message_to_whom_the_list_names_goes_out_marked() -> None:
    sender = FakeSender()
    fence = Fence("email", sender, lambda tenant: ALLOWED if tenant == "corner-test" else ())
    assert fence.send("qa@example.com", MESSAGE) == Sent("msg-1")
    assert sender.taken == [("qa@example.com", replace(MESSAGE, title="[TEST] Fries"))]


def test_while_the_list_cannot_be_read_nothing_goes_out() -> None:
    def unavailable(_tenant: str) -> tuple[str, ...]:
        raise Unavailable

    sender = FakeSender()
    assert Fence("sms", sender, unavailable).send("+4930901820", MESSAGE) == Throttled()
    assert sender.taken == []


def test_a_message_that_is_nobodys_goes_nowhere() -> None:
    sender = FakeSender()
    with pytest.raises(KeyError):
        Fence("email", sender, nobody).send("qa@example.com", replace(MESSAGE, origin={}))
    assert sender.taken == []


def test_the_outbox_of_a_local_stage_shows_what_was_withheld() -> None:
    kept: dict[str, bytes] = {}
    outbox = Outbox("email", FakeSender(), SimpleNamespace(put=kept.__setitem__), lambda: 0)
    fence = Fence("email", outbox, lambda _tenant: ALLOWED, outbox.withhold)
    name = "outbox/corner-test/" + ANNA + "/dlv_1.json"
    fence.send("anna@example.com", MESSAGE)
    assert (json.loads(kept[name])["withheld"], json.loads(kept[name])["title"]) == ("test_mode", "Fries")
    fence.send("qa@example.com", MESSAGE)
    assert ("withheld" in json.loads(kept[name]), json.loads(kept[name])["title"]) == (False, "[TEST] Fries")


# -- no way round it --------------------------------------------------------------------------------------------------------


def _scope_of(tenant: str) -> Any:
    return SimpleNamespace(tenant=tenant, definitions=SimpleNamespace(settings=SimpleNamespace(messaging=MessagingSettings())))


@pytest.mark.parametrize("local", [False, True])
def test_every_sender_of_a_stage_stands_behind_it(local: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_client(*what: object) -> None:
        raise AssertionError(what)

    monkeypatch.setattr(wiring, "calling_once", no_client)
    store: Any = SimpleNamespace(put=lambda *_: None) if local else None
    made = wiring.senders("us-east-1", None, lambda: 0, _scope_of, store)
    assert set(made) == set(CHANNELS)
    for channel, sender in made.items():
        assert isinstance(sender, Fence)
        assert sender.channel == channel
        if channel not in ("inbox", "webhook"):
            assert sender.send("anna@example.com", MESSAGE) == Withheld("test_mode")


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for folder in ("shared", "functions"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def test_nobody_else_makes_a_sender() -> None:
    """A class that sends to an address is made in one place, which puts the fence before it."""
    sources = list(_sources())
    senders = {
        node.name
        for _, module in sources for node in ast.walk(module) if isinstance(node, ast.ClassDef)
        for method in node.body if isinstance(method, ast.FunctionDef) and method.name == "send"
        and [each.arg for each in method.args.args[1:]] == ["address", "message"]
    } - {"Sender", "Fence"}  # fmt: skip
    assert senders >= {"SnsSender", "SesSender", "SmsSender", "WebhookSender", "InboxSender", "Outbox"}
    users = {
        name
        for name, module in sources for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and senders & {each.name for each in node.names}
    }  # fmt: skip
    assert users == {"shared/aws/senders.py"}


def test_nobody_else_calls_a_provider() -> None:
    calls = {"send_email", "send_text_message", "send_bulk_email", "send_voice_message", "send_media_message", "send_notify_text_message"}
    users = {
        name for name, module in _sources() for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        and (node.func.attr in calls or any(each.arg in ("TargetArn", "PhoneNumber") for each in node.keywords))
    }  # fmt: skip
    assert users == {"shared/aws/email_sending.py", "shared/aws/sms_sending.py", "shared/aws/push_sending.py"}
