"""The page of the local outbox, over HTTP."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3

from local import outbox
from local.outbox import chosen
from local.outbox_page import page, serving


def message(number: int, **more: Any) -> dict[str, Any]:
    origin = {"tenant": "demo", "member": f"mbr_{number}", "delivery": f"dlv_{number}", "campaign": "summer", "step": "s"}
    texts = {"channel": "push", "title": f"Title {number}", "body": "x", "data": {}}
    return {**origin, **texts, "sent_at": f"2026-01-01T00:00:{number:02d}Z", "name": f"o/{number}", **more}


MESSAGES = [
    message(1),
    message(3, channel="email", html='<script>alert(1)</script><p>"Hi"</p>', headers={"List-Unsubscribe": "<https://x.example>"}),
    message(2, channel="sms", body="<b>no markup</b>", campaign="winter"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(lambda: MESSAGES, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def get(address: str, **headers: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", address, headers=headers, retries=False)


def listed(address: str, query: str = "") -> list[str]:
    return [each["delivery"] for each in json.loads(get(f"{address}/messages.json{query}").data)["data"]]


def test_newest_first_and_narrowed(address: str) -> None:
    assert listed(address) == ["dlv_3", "dlv_2", "dlv_1"]
    assert listed(address, "?campaign=summer") == ["dlv_3", "dlv_1"]
    assert listed(address, "?campaign=summer&channel=push&member=") == ["dlv_1"]
    assert listed(address, "?member=mbr_2&tenant=demo") == ["dlv_2"]
    assert listed(address, "?tenant=other") == []


def test_a_person_reads_what_the_guest_does_and_nothing_in_it_runs(address: str) -> None:
    answer = get(f"{address}/")
    shown = answer.data.decode()
    assert [each[1] for each in re.finditer(r"<h2>(Title \d)</h2>", shown)] == ["Title 3", "Title 1"]
    assert "&lt;b&gt;no markup&lt;/b&gt;" in shown
    assert 'sandbox="" title="HTML" srcdoc="&lt;script&gt;alert(1)&lt;/script&gt;&lt;p&gt;&quot;Hi&quot;&lt;/p&gt;"' in shown
    assert "<script" not in shown
    assert not re.search(r"(src|href)=\"https?:", shown)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_what_a_test_environment_withheld_is_shown_as_not_sent() -> None:
    sent, withheld = page([message(1)], {}, ["push"]), page([message(1, withheld="test_<mode>")], {}, ["push"])
    assert "not sent" not in sent
    assert "not sent: test_&lt;mode&gt;" in withheld


def test_what_was_withheld_was_not_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [message(1), message(2, withheld="test_mode"), message(3)]
    monkeypatch.setattr(outbox, "Reader", lambda _store: SimpleNamespace(messages=lambda _prefix: kept))
    assert [each["delivery"] for each in outbox.delivered(None, "demo", "mbr_1")] == ["dlv_1", "dlv_3"]  # type: ignore[arg-type]


def test_a_name_of_another_machine_gets_nothing(address: str) -> None:
    assert get(f"{address}/", host="evil.example:80").status == 404
    assert get(f"{address}/elsewhere").status == 404


def test_no_more_than_two_hundred_are_shown() -> None:
    many = [message(number % 60, name=str(number)) for number in range(250)]
    assert len(chosen(many, {})) == 200
