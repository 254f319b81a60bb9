"""The age limit over the API: nothing of a child is stored, by whichever way she comes, and who may be one gets no marketing."""

from __future__ import annotations

from typing import Any

import pytest

from shared.campaigns.messages import order_of
from shared.campaigns.sending import Means, send
from shared.jobs import service as jobs
from shared.kernel.instants import DAY
from shared.tenants.rights import AgeLimitSettings, ConsentSettings
from tests.builders.campaigns import CONSENT, Post
from tests.builders.front import Front, settings_with_everything
from tests.builders.guests import KEYS, LETTER
from tests.builders.house import House
from tests.builders.rights import configure
from tests.fakes.senders import FakeSender, only

YOUNG, OLD = "2012-01-01", "1990-01-01"


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    limit = AgeLimitSettings(years=16, countries={"AT": 14}, required=True)
    rights = {"age_limit": limit, "consents": ConsentSettings(double_opt_in=False)}
    bare_house.create(settings_with_everything().model_copy(update=rights))
    return Front(bare_house, monkeypatch)


def body(birth_date: str, number: str = "1", **profile: Any) -> dict[str, Any]:
    return {"source": "app", "identifiers": [{"kind": "external", "value": number}], "profile": {"birth_date": birth_date, **profile}}


def test_a_child_is_not_registered_and_leaves_nothing(front: Front) -> None:
    before = len(front.rows())
    said = front.call("register_member", body(YOUNG))
    assert (said.status, said.body["code"], said.body["errors"][0]["pointer"]) == (422, "too_young", "/profile/birth_date")
    assert len(front.rows()) == before
    keys_of_members = front.house.key_table._client.scan(TableName=front.house.key_table.name)["Items"]
    assert [each for each in keys_of_members if each["PK"]["S"].count("mbr_")] == []
    assert front.call("register_member", body(YOUNG, country="AT")).status == 201


def test_a_profile_or_form_that_says_so_is_refused_and_stays_as_it_was(front: Front) -> None:
    member = front.register()
    for operation, how in (("update_member", {"member_id": member}), ("update_member_of_me", {"me": member})):
        said = front.call(operation, {"profile": {"birth_date": YOUNG, "city": "Ulm"}}, **how)
        assert (said.status, said.body["code"]) == (422, "too_young")
    token = front.invite(member, "birth_date")
    said = front.call("submit_form", {"values": {"birth_date": YOUNG}}, token=token)
    assert (said.status, said.body["errors"][0]["pointer"]) == (422, "/values/birth_date")
    assert front.call("get_member", member_id=member).body["profile"] == {}
    assert front.call("submit_form", {"values": {"birth_date": OLD}}, token=token).status == 200


def test_moving_to_a_country_with_a_higher_age_is_refused_too(front: Front) -> None:
    member = front.register(profile={"birth_date": YOUNG, "country": "AT"})
    assert front.call("update_member", {"profile": {"country": "DE"}}, member_id=member).body["code"] == "too_young"
    assert front.call("update_member", {"profile": {"city": "Graz"}}, member_id=member).status == 200


def test_an_import_refuses_the_child_and_takes_the_others(front: Front) -> None:
    said = front.call("import_members", {"members": [body(OLD, "1"), body(YOUNG, "2"), body(OLD, "3")]})
    front.work()
    job = jobs.read(front.house.scope(), said.body["job_id"])
    assert len(front.rows("PROFILE")) == 2
    assert "too_young" in job.model_dump_json()


def test_who_may_be_a_child_gets_no_marketing(front: Front) -> None:
    post, house = Post.of(front.house), front.house
    post.messaging(email={"from_address": "news@example.com"})
    configure(house, age_limit=AgeLimitSettings(required=True))
    unknown = house.join(consents={"marketing:email": CONSENT}, known=("email",))
    known = house.join(consents={"marketing:email": CONSENT}, known=("birth_date", "email"))
    post.list_all([unknown, known], {"email": "anna@example.com"})
    post.campaign("letter", LETTER)
    sender = FakeSender()
    house.now += DAY
    order = order_of(post.order("letter", "tell", [unknown, known], "1"))
    assert send(house.scope(), order, Means(only(sender), post.sending, KEYS)) == {"sent": 1, "no_consent": 1}
    assert sender.members == [known]
