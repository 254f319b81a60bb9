"""Double opt-in: which consents wait, the mail, the page, the proof; and everything that ends the waiting."""

from __future__ import annotations

from typing import Any

import pytest

from functions.member_rights import handler as member_rights
from shared.access.collecting import collect
from shared.kernel.instants import DAY, HOUR, MINUTE, format_rfc3339
from shared.members.notices import NotHandedOver
from shared.members.repository import MemberRepository
from shared.members.silencing import silence
from shared.messaging.port import Throttled
from shared.relay.envelope import Envelope, of_record
from shared.storage import keys, keys_rights
from shared.storage.items_rights import ObjectionItem
from shared.tenants.rights import ConsentSettings
from tests.builders.front import ALL, Front, identity
from tests.builders.house import House
from tests.builders.rights import EMAIL, Rights, settings_that_write


@pytest.fixture
def rights(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Rights:
    bare_house.create(settings_that_write())
    return Rights(Front(bare_house, monkeypatch), monkeypatch)


def yes(purpose: str = "marketing", channel: str = "email", version: str = "2", **more: Any) -> dict[str, Any]:
    return {"purpose": purpose, "channel": channel, "granted": True, "document_version": version, **more}


def no() -> dict[str, Any]:
    return {**yes(), "granted": False}


def answer(rights: Rights, member: str, *consents: dict[str, Any]) -> dict[str, Any]:
    said = rights.front.call("set_consents", {"consents": list(consents)}, member_id=member)
    assert said.status == 200, said.body
    return {f"{each['purpose']}:{each['channel']}": (each["granted"], each.get("pending", False)) for each in said.body["consents"]}


def stands(rights: Rights, member: str) -> tuple[bool, bool]:
    """Whether she may be written to, and whether it waits."""
    state = rights.house.state(member)
    return state.consents["marketing:email"].granted, "marketing:email" in state.pending


def asked(rights: Rights) -> tuple[str, str]:
    """A guest who registered with a yes, and the link that she was sent."""
    member = rights.front.register(profile={"email": EMAIL}, consents=[yes()])
    rights.told(member)
    (link,) = rights.links()
    return member, link


def records(rights: Rights, member: str) -> list[dict[str, Any]]:
    scope = rights.house.scope()
    return MemberRepository(scope.tenant, scope.table).consents(member, scope.cipher(member))


def test_a_yes_waits_for_the_link_and_the_proof_says_when_and_how(rights: Rights) -> None:
    member, link = asked(rights)
    began = rights.house.now
    assert stands(rights, member) == (False, True)
    (address, message), = rights.senders["email"].taken
    assert (address, message.service, message.origin["member"]) == (EMAIL, True, "")
    assert EMAIL not in link
    rights.house.now += HOUR
    for method in ("GET", "HEAD", "GET"):
        assert rights.open(link, method).status == 200
    assert "Ja, ich möchte E-Mails" in rights.open(link).text
    assert rights.open(link, "POST", "something=else").status == 400
    assert stands(rights, member) == (False, True), "looking, as scanners do, confirms nothing"
    page = rights.confirm(link)
    assert (page.status, "Bestätigt" in page.text) == (200, True)
    assert stands(rights, member) == (True, False)
    first, second = records(rights, member)
    assert (first["granted"], first["state"], first["version"], first["at"], first["source"]) == (False, "pending", "2", began, "app")
    assert (second["granted"], second["state"], second["version"], second["source"]) == (True, "confirmed", "2", "double_opt_in")
    assert (second["at"], second["asked_at"], second["proof"]) == (began + HOUR, began, f"double_opt_in-{began}")
    shown = collect(rights.house.scope(), member)["sections"]["consents"]["data"][-1]
    assert (shown["at"], shown["asked_at"]) == (format_rfc3339(began + HOUR), format_rfc3339(began))


def test_pressing_again_changes_nothing(rights: Rights) -> None:
    member, link = asked(rights)
    rights.confirm(link)
    version = rights.house.state(member).version
    assert rights.confirm(link).status == 200
    assert (rights.house.state(member).version, len(records(rights, member))) == (version, 2)


def test_after_seven_days_and_for_anybody_else_the_link_leads_nowhere(rights: Rights) -> None:
    member, link = asked(rights)
    assert rights.open(link, tenant="other").status == 404
    assert rights.confirm(link[:-2] + ("AA" if link[-2:] != "AA" else "BB")).status == 404
    rights.house.now += 7 * DAY
    assert (rights.open(link).status, rights.confirm(link).status) == (404, 404)
    assert stands(rights, member) == (False, True)
    assert answer(rights, member, no() | {"channel": "sms"})["marketing:email"] == (False, False), "it is not shown as waiting any more"


def test_taking_it_back_ends_the_waiting_and_no_older_link_brings_it_back(rights: Rights) -> None:
    member, link = asked(rights)
    rights.house.now += HOUR
    assert answer(rights, member, no())["marketing:email"] == (False, False)
    assert rights.confirm(link).status == 404
    rights.house.now += HOUR
    assert answer(rights, member, yes())["marketing:email"] == (False, True)
    assert rights.confirm(link).status == 404
    rights.told(member)
    assert rights.confirm(rights.links()[-1]).status == 200
    assert stands(rights, member) == (True, False)


def test_unsubscribing_ends_the_waiting_too(rights: Rights) -> None:
    member, link = asked(rights)
    silence(rights.house.scope(), member, [("marketing", "email")], "one_click", "")
    assert rights.confirm(link).status == 404


def test_another_address_is_not_confirmed_by_the_link_to_the_old_one(rights: Rights) -> None:
    member, link = asked(rights)
    rights.front.call("update_member", {"profile": {"email": "other@example.com"}}, member_id=member)
    assert rights.confirm(link).status == 404
    assert stands(rights, member) == (False, True)


def test_repeating_the_answer_asks_again_a_few_times(rights: Rights) -> None:
    member, link = asked(rights)
    for minutes, mails in ((0, 1), (10, 2), (5, 2), (5, 3), (10, 3), (60, 3)):
        rights.house.now += minutes * MINUTE
        before = rights.house.state(member).version
        answer(rights, member, yes())
        if rights.house.state(member).version != before:
            rights.told(member)
        assert len(rights.links()) == mails
    assert rights.confirm(link).status == 200, "the first mail is as good as the last"


def test_one_address_gets_no_more_than_five_mails_a_day(rights: Rights) -> None:
    for _ in range(7):
        rights.told(rights.front.register(profile={"email": EMAIL}, consents=[yes()]))
    assert len(rights.links()) == 5
    rights.house.now += DAY
    rights.told(rights.front.register(profile={"email": EMAIL}, consents=[yes()]))
    assert len(rights.links()) == 6


def test_what_is_proven_already_and_what_is_no_marketing_counts_at_once(rights: Rights) -> None:
    proven = [{"kind": "email", "value": EMAIL, "proof": "otp"}]
    assert stands(rights, rights.front.register(identifiers=proven, consents=[yes()])) == (True, False)
    token = identity("s1", rights.house.now, email="b@example.com", email_verified=True)
    assert stands(rights, rights.front.register(identity=token, consents=[yes()])) == (True, False)
    by_till = [{"kind": "email", "value": "c@example.com", "proof": "till"}]
    assert stands(rights, rights.front.register(identifiers=by_till, consents=[yes()])) == (False, True)
    plain = rights.front.register(profile={"email": "d@example.com"}, consents=[yes(channel="push"), yes("service")])
    granted = {key: each.granted for key, each in rights.house.state(plain).consents.items()}
    assert granted == {"marketing:push": True, "service:email": True}


def test_she_herself_with_a_proven_address_needs_no_mail_and_her_staff_does(rights: Rights) -> None:
    member = rights.front.register(identifiers=[{"kind": "email", "value": EMAIL, "proof": "till"}])
    assert answer(rights, member, yes())["marketing:email"] == (False, True)
    said = rights.front.call("set_consents_of_me", {"consents": [yes()]}, me=member)
    assert [each["granted"] for each in said.body["consents"]] == [True]
    assert answer(rights, member, yes(version="3"))["marketing:email"] == (True, False), "a yes that stands goes on to the next document"


def test_a_proof_from_elsewhere_counts_with_its_instant_and_source(rights: Rights) -> None:
    at = format_rfc3339(rights.house.now - 400 * DAY)
    body = {"source": "import", "identifiers": [{"kind": "external", "value": "1"}], "profile": {"email": EMAIL},
            "consents": [yes(confirmed_at=at, confirmed_by="old-crm")]}  # fmt: skip
    assert rights.front.call("import_members", {"members": [body]}).status == 202
    rights.front.work()
    (member,) = [row["PK"]["S"].rpartition("#")[2] for row in rights.front.rows("PROFILE")]
    assert stands(rights, member) == (True, False)
    (record,) = records(rights, member)
    assert (record["proof"], record["asked_at"], record["state"]) == ("old-crm", rights.house.now - 400 * DAY, "confirmed")
    refused = rights.front.call(
        "register_member", {**body, "identifiers": [{"kind": "external", "value": "2"}]}, scopes=ALL - {"members:write"}
    )
    assert refused.status == 403
    half = {**body, "consents": [yes(confirmed_at=at)], "identifiers": [{"kind": "external", "value": "3"}]}
    assert rights.front.call("register_member", half).status in (400, 422)


def test_an_import_without_proof_waits_and_asks_nobody(rights: Rights) -> None:
    body = {"source": "import", "identifiers": [{"kind": "external", "value": "1"}], "profile": {"email": EMAIL}, "consents": [yes()]}
    rights.front.call("import_members", {"members": [body]})
    rights.front.work()
    (member,) = [row["PK"]["S"].rpartition("#")[2] for row in rights.front.rows("PROFILE")]
    assert stands(rights, member) == (False, True)
    assert rights.told(member).mode == "historical"
    assert rights.links() == []


def test_a_provider_that_is_busy_brings_the_message_again(rights: Rights) -> None:
    member = rights.front.register(profile={"email": EMAIL}, consents=[yes()])
    rights.senders["email"].answers[EMAIL] = Throttled()
    with pytest.raises(NotHandedOver):
        rights.told(member)
    rights.senders["email"].answers.clear()
    rights.told(member)
    assert len(rights.links()) == 1


def test_who_switches_it_off_has_answers_as_they_were(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    bare_house.create(settings_that_write().model_copy(update={"consents": ConsentSettings(double_opt_in=False)}))
    rights = Rights(Front(bare_house, monkeypatch), monkeypatch)
    member = rights.front.register(profile={"email": EMAIL}, consents=[yes()])
    assert stands(rights, member) == (True, False)
    envelope: Envelope = rights.told(member)
    assert "consent.confirmation_asked" not in envelope.types


def test_she_is_told_of_a_restriction_that_she_did_not_ask_for_and_of_its_end(rights: Rights) -> None:
    member = rights.front.register(profile={"email": EMAIL, "language": "en"})

    def staff(**body: Any) -> None:
        rights.house.now += MINUTE
        assert rights.front.call("set_restriction", body, member_id=member).status == 200
        rights.told(member)
        rights.told(member)

    for body in ({"restricted": True, "reason": "unlawful"}, {"restricted": False}):
        rights.front.call("set_restriction_of_me", body, me=member)
        rights.told(member)
    assert rights.senders["email"].taken == [], "she knows what she does"
    staff(restricted=True, reason="unlawful")
    staff(restricted=True, reason="legal_claims")
    staff(restricted=False)
    titles = ["Your data are set aside", "Your data are used again"]
    assert [(address, message.title) for address, message in rights.senders["email"].taken] == [(EMAIL, title) for title in titles]
    inbox = rights.front.call("list_inbox_of_me", me=member).body["data"]
    assert [each["title"] for each in inbox] == titles[::-1]


def test_what_ended_before_she_could_be_told_is_not_told(rights: Rights) -> None:
    member = rights.front.register(profile={"email": EMAIL})
    rights.front.call("set_restriction", {"restricted": True, "reason": "unlawful"}, member_id=member)
    raw = rights.house.table.get(keys.state(rights.house.tenant, member), consistent=True)
    began = of_record({"dynamodb": {"NewImage": raw}})
    assert began is not None
    rights.front.call("set_restriction", {"restricted": False}, member_id=member)
    member_rights.work({"detail": began.detail()})
    assert rights.senders["email"].taken == []


def test_who_objected_is_not_even_asked(rights: Rights) -> None:
    scope = rights.house.scope()
    where = keys_rights.objection(scope.tenant, "email", scope.blind("email", EMAIL))
    scope.table.put(ObjectionItem.at(where, since=1, reason="erasure"))
    member = rights.front.register(profile={"email": EMAIL}, consents=[yes()])
    assert stands(rights, member) == (False, False)
    assert "consent.confirmation_asked" not in rights.told(member).types
    (record,) = records(rights, member)
    assert (record["granted"], record["source"], record.get("state")) == (False, "objection", None)
