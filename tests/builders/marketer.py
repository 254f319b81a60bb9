"""A marketer's tool: calls to the function administration as the gateway makes them, with the queues and providers behind it."""

from __future__ import annotations

import base64
import csv
import io
import json
from typing import Any

import pytest

from functions.administration import handler as administration
from shared.campaigns import service
from shared.kernel.instants import MINUTE
from shared.storage import keys
from shared.storage.items import GateItem, SettingsItem
from shared.storage.packing import pack
from shared.tenants.messaging import CHANNELS, MessagingSettings
from shared.tenants.model import WalletSettings
from shared.tenants.principal import Principal
from tests.builders.campaigns import NEWS, PUSH_SETTINGS
from tests.builders.guests import BASE, Guests
from tests.builders.house import House
from tests.builders.office import ALL, BY_OPERATION, Office, Said
from tests.fakes.senders import FakeSender
from tests.unit.http.events import event_for

LEAD = 3 * MINUTE
"""Longer than until what is published holds."""
NOBODY = "mbr_00000000000000000000000000"


class Sqs:
    """What was sent, by queue."""

    def __init__(self) -> None:
        self.sent: dict[str, list[dict[str, Any]]] = {}

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:
        self.sent.setdefault(QueueUrl, []).extend(json.loads(entry["MessageBody"]) for entry in Entries)
        return {}


class Marketer(Office):
    """A marketer of a tenant with push and an offer, the queues, and providers that take what tests send."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(house, monkeypatch)
        self.guests = Guests(house, monkeypatch)
        self.post = self.guests.post
        self.configure()
        self.sqs = Sqs()
        self.senders = {channel: FakeSender() for channel in CHANNELS}
        home: Any = administration.runtime()
        home.client = {"sqs": self.sqs}.__getitem__
        home.settings.public_url = BASE
        monkeypatch.setattr(administration, "_senders", lambda: self.senders)
        monkeypatch.setattr(administration, "sending_queue_url", lambda: "sending")

    def configure(self, *wallets: str, **messaging: Any) -> None:
        """The tenant's settings, from now on."""
        changed = {"messaging": MessagingSettings.model_validate(messaging), "wallets": {each: WalletSettings() for each in wallets}}
        body = pack(PUSH_SETTINGS.model_copy(update=changed).model_dump(mode="json"))
        self.house.table.put(SettingsItem.at(keys.settings("demo"), version=1, body=body))
        self.house.cache.forget("demo")

    def write(self, body: Any, id_: str = "news") -> Said:
        """A draft of a campaign."""
        return self.call("create_campaign", {"id": id_, "definition": body})

    def publish(self, body: Any, id_: str = "news") -> Said:
        """A campaign that was taken as a draft, published; what publishing it answers."""
        said = self.write(body, id_)
        assert said.status == 201, said.body
        return self.call("publish_campaign", {}, definition_id=id_)

    def ready(self, body: Any, id_: str = "news") -> None:
        """A campaign that only has to be launched."""
        said = self.publish(body, id_)
        assert (said.status, said.body["status"]) == (200, "published"), said.body
        self.house.now += LEAD

    def switch(self, what: str, campaign: str = "news", **more: Any) -> Said:
        """launch, pause, resume or cancel."""
        return self.call(f"{what}_campaign", campaign_id=campaign, **more)

    def launched(self, body: Any, id_: str = "news") -> None:
        """A campaign that runs."""
        self.ready(body, id_)
        said = self.switch("launch", id_)
        assert said.status == 200, said.body

    def table(self, campaign: str = "news") -> tuple[dict[str, str], list[dict[str, str]]]:
        """The headers and rows of report.csv."""
        caller = Principal(kind="key", tenant="demo", id="demo-aaaaaaaaaaaa", scopes=ALL)
        event = event_for(BY_OPERATION["report_campaign_csv"], caller, pathParameters={"campaign_id": campaign})
        answer = administration.lambda_handler(event)
        assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, True), answer
        return answer["headers"], list(csv.DictReader(io.StringIO(base64.b64decode(answer["body"]).decode())))

    def gates(self, campaign: str = "news") -> set[bool]:
        """What its gates are; none while it has none."""
        raws = self.house.table.query_all(keys.campaign("demo", campaign).pk, begins="GATE#", consistent=True)
        return {GateItem.read(raw).open for raw in raws}

    def stands(self, campaign: str = "news") -> tuple[str, set[bool], dict[str, Any]]:
        """Its state, its gates, and what is in the queues."""
        return service.known_run(self.house.scope(), campaign).state, self.gates(campaign), self.sqs.sent


def refused(said: Said, status: int, code: str, *errors: tuple[str, str]) -> None:
    """A problem document of that status and code, which points at these places and no others."""
    assert (said.status, said.body["code"], said.errors) == (status, code, list(errors)), said.body
    assert said.headers["content-type"] == "application/problem+json"


def with_(**more: Any) -> dict[str, Any]:
    return {**NEWS, **more}


def step(**more: Any) -> dict[str, Any]:
    return {**NEWS["steps"][0], **more}
