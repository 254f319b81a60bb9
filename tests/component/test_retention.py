"""Members who do nothing: warned by the worker, erased when they go on doing nothing, and everybody looked at when it is switched on."""

from __future__ import annotations

import pytest

from functions.member_rights import handler as member_rights
from shared.erasure.inactivity import Suspended
from shared.erasure.service import certificate
from shared.kernel.instants import DAY, HOUR
from shared.member_state.errors import ErasedMember
from shared.member_state.repository import StateRepository
from shared.member_state.service import tick_member
from shared.members.presence import note_sign_in
from shared.messaging.port import Throttled
from shared.relay.envelope import of_record
from shared.segments import arming
from shared.storage import keys
from shared.tenants.rights import RetentionSettings
from shared.tenants.service import _stamped
from shared.transactions.service import record
from tests.builders.front import Front
from tests.builders.house import PROGRAMME, House, sale
from tests.builders.rights import EMAIL, Rights, configure, settings_that_write

YEAR = 366 * DAY


def retention(months: int | None = 12, since: int = 1) -> RetentionSettings:
    return RetentionSettings(inactive_months=months, warn_days=30, since=since)


@pytest.fixture
def rights(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Rights:
    bare_house.create(settings_that_write().model_copy(update={"retention": retention()}))
    bare_house.publish("programme", "points", PROGRAMME)
    return Rights(Front(bare_house, monkeypatch), monkeypatch)


def tick(rights: Rights, member: str, worker: bool = True) -> list[str]:
    """Her timer, and the worker on what it tells; answers what was told."""
    tick_member(rights.house.scope(), member, rights.house.now)
    return rights.told(member).types if worker else []


def mails(rights: Rights) -> list[tuple[str, str]]:
    return [(address, message.title) for address, message in rights.senders["email"].taken]


def is_erased(rights: Rights, member: str) -> bool:
    try:
        StateRepository(rights.house.tenant, rights.house.table).load(member)
    except ErasedMember:
        return True
    return False


def test_she_is_warned_and_erased_thirty_days_later(rights: Rights) -> None:
    member = rights.front.register(profile={"email": EMAIL, "language": "en"})
    rights.house.now += YEAR
    assert tick(rights, member) == ["member.inactive"]
    ((address, title),) = mails(rights)
    assert (address, title) == (EMAIL, "Do you want to stay a member of Fries & More?")
    assert "2026" not in title
    rights.house.now += 30 * DAY - HOUR
    tick(rights, member, worker=False)
    assert not is_erased(rights, member)
    rights.house.now += HOUR
    assert "member.inactivity_ended" in tick(rights, member)
    assert is_erased(rights, member)
    assert certificate(rights.house.scope(), member).asked_by == "retention"
    assert len(mails(rights)) == 1


def test_a_sale_or_a_sign_in_after_the_warning_keeps_her(rights: Rights) -> None:
    buyer, guest = rights.front.register(), rights.front.register()
    rights.house.now += YEAR
    for member in (buyer, guest):
        tick(rights, member)
    rights.house.now += 29 * DAY
    record(rights.house.scope(), sale(buyer, at=rights.house.now, lines=(("burger", 900),)))
    note_sign_in(rights.house.scope(), guest)
    version = rights.house.state(guest).version
    note_sign_in(rights.house.scope(), guest)
    assert rights.house.state(guest).version == version, "noted once a day"
    rights.house.now += 300 * DAY
    for member in (buyer, guest):
        tick_member(rights.house.scope(), member, rights.house.now)
        assert (is_erased(rights, member), rights.house.state(member).inactivity) == (False, None)


def test_what_she_does_between_the_telling_and_the_worker_keeps_her(rights: Rights) -> None:
    member = rights.front.register()
    rights.house.now += YEAR
    tick(rights, member)
    rights.house.now += 30 * DAY
    tick_member(rights.house.scope(), member, rights.house.now)
    raw = rights.house.table.get(keys.state(rights.house.tenant, member), consistent=True)
    envelope = of_record({"dynamodb": {"NewImage": raw}})
    assert envelope is not None
    assert "member.inactivity_ended" in envelope.types
    record(rights.house.scope(), sale(member, at=rights.house.now, lines=(("burger", 900),)))
    member_rights.work({"detail": envelope.detail()})
    assert not is_erased(rights, member)


def test_a_worker_that_dies_warns_again_and_counts_the_days_once(rights: Rights) -> None:
    member = rights.front.register(profile={"email": EMAIL})
    rights.house.now += YEAR
    tick_member(rights.house.scope(), member, rights.house.now)
    rights.senders["email"].answers[EMAIL] = Throttled()
    for _ in range(2):
        with pytest.raises(Exception, match="Throttled"):
            rights.told(member)
    inactivity = rights.house.state(member).inactivity
    assert inactivity is not None
    assert inactivity.warned_at == 0, "no day counts without a warning"
    rights.house.now += 200 * DAY
    assert not is_erased(rights, member)
    rights.senders["email"].answers.clear()
    raw = rights.house.table.get(keys.state(rights.house.tenant, member), consistent=True)
    envelope = of_record({"dynamodb": {"NewImage": raw}})
    assert envelope is not None
    for _ in range(3):
        member_rights.work({"detail": envelope.detail()})
    warned = rights.house.state(member).inactivity
    assert warned is not None
    assert (warned.warned_at, len(mails(rights))) == (rights.house.now, 1)


def test_while_the_tenant_is_suspended_nothing_is_begun_and_afterwards_she_is_warned_once_more(rights: Rights) -> None:
    member = rights.front.register(profile={"email": EMAIL})
    rights.house.now += YEAR
    tick(rights, member)
    configure(rights.house, status="suspended")
    rights.house.now += 30 * DAY
    with pytest.raises(Suspended):
        tick(rights, member)
    rights.house.now += 60 * DAY
    configure(rights.house, status="active")
    rights.told(member)
    assert (is_erased(rights, member), len(mails(rights))) == (False, 2)
    rights.house.now += 30 * DAY
    tick(rights, member)
    assert is_erased(rights, member)


def test_switching_it_on_looks_at_everybody_once_and_erases_nobody_at_once(rights: Rights) -> None:
    configure(rights.house, retention=retention(None))
    sleeping = [rights.front.register() for _ in range(3)]
    assert [rights.house.state(member).timer for member in sleeping] == [None] * 3
    rights.house.now += 3 * YEAR
    fresh = rights.front.register()
    assert arming.go_on(rights.house.scope())
    assert [rights.house.state(member).inactivity for member in sleeping] == [None] * 3, "not switched on yet"
    configure(rights.house, retention=retention(12, since=rights.house.now))
    assert arming.go_on(rights.house.scope())
    for member in sleeping:
        assert rights.told(member).types == ["member.inactive"]
        assert not is_erased(rights, member)
    timer = rights.house.state(fresh).timer
    assert timer is not None
    assert timer > rights.house.now + 360 * DAY
    versions = [rights.house.state(member).version for member in (*sleeping, fresh)]
    assert arming.go_on(rights.house.scope())
    assert [rights.house.state(member).version for member in (*sleeping, fresh)] == versions, "everybody was looked at"
    rights.house.now += 30 * DAY
    for member in sleeping:
        tick(rights, member)
        assert is_erased(rights, member)


def test_an_imported_membership_that_has_slept_for_years_is_warned_by_the_present(rights: Rights) -> None:
    member = rights.front.register(joined_at="2019-05-01T10:00:00Z", profile={"email": EMAIL})
    assert rights.house.state(member).inactivity is None
    rights.house.now += HOUR
    assert tick(rights, member) == ["member.inactive"]
    assert len(mails(rights)) == 1


def test_the_settings_note_when_it_was_changed_and_nothing_that_is_sent(rights: Rights) -> None:
    now, before = rights.house.now, rights.house.scope().definitions.settings
    same = before.model_copy(update={"retention": before.retention.model_copy(update={"since": 99}), "name": "New"})
    assert _stamped(same, before, now).retention.since == before.retention.since
    longer = before.model_copy(update={"retention": before.retention.model_copy(update={"inactive_months": 13, "since": 99})})
    assert _stamped(longer, before, now).retention.since == now
