"""Whom messages reach, member by member: the claim's questions in the claim's order."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.campaigns.eligibility import Drop, Go, decide
from shared.campaigns.model import CampaignBody, SendStep
from shared.campaigns.policies import policy_of
from shared.campaigns.rules import held_out, variant_of
from shared.campaigns.steps import SplitStep
from shared.forecast.reach import Fate, comes_to, fates, is_held_out, leads
from shared.kernel.instants import DAY, HOUR, parse_rfc3339
from shared.member_state.model import Consent, MemberState, Touch
from shared.tenants.messaging import Channel, MessagingSettings
from shared.tenants.model import PushSettings, TenantSettings

NOON = parse_rfc3339("2026-06-10T10:00:00Z")
NIGHT = parse_rfc3339("2026-06-10T22:00:00Z")
TEXT = {"en": {"title": "Hello", "body": "x"}}
MAIL = {"email": {"from_address": "news@example.com"}, "sms": {"origination": "Example"}}
CHANNELS: tuple[Channel, ...] = ("push", "email", "sms", "inbox")


def settings(**messaging: Any) -> TenantSettings:
    return TenantSettings(
        name="Fries",
        currency="EUR",
        time_zone="Europe/Berlin",
        push={"gcm": PushSettings(application_arn="arn:aws:sns:us-east-1:1:app/GCM/demo")},
        messaging=MessagingSettings.model_validate(MAIL | messaging),
    )


def her(member: str = "mbr_1", *, yes: tuple[str, ...] = CHANNELS, **fields: Any) -> MemberState:
    consents = {f"marketing:{channel}": Consent(True, 0, "1") for channel in yes}
    return MemberState("demo", member, version=1, consents=consents, **({"devices": ["d"], "known": ["email", "phone"]} | fields))


def body(*steps: dict[str, Any], **more: Any) -> CampaignBody:
    return CampaignBody.model_validate({"name": "c", "trigger": {"kind": "once"}, "steps": list(steps), **more})


def send(*channels: str, **more: Any) -> dict[str, Any]:
    return {"id": "s", "content": TEXT, "ladder": {"channels": list(channels), **more}}


def fate(state: MemberState, campaign: CampaignBody, at: int = NOON, **messaging: Any) -> Fate:
    (found,) = several(state, campaign, at, **messaging)
    return found


def several(state: MemberState, campaign: CampaignBody, at: int = NOON, **messaging: Any) -> list[Fate]:
    step = campaign.steps[0]
    assert isinstance(step, SendStep)
    return fates("c", campaign, step, state, settings(**messaging), at)


def test_a_channel_leads_to_her_if_it_is_set_up_and_she_has_given_what_it_takes() -> None:
    bare = TenantSettings(name="Fries", currency="EUR", time_zone="Europe/Berlin")
    assert [leads(each, her(), bare) for each in CHANNELS] == [False, False, False, True]
    assert [leads(each, her(), settings()) for each in CHANNELS] == [True, True, True, True]
    assert [leads(each, her(devices=[], known=[]), settings()) for each in CHANNELS] == [False, False, False, True]


def test_she_gets_it_over_the_first_rung_that_leads_to_her_and_that_she_allows() -> None:
    campaign = body(send("push", "email", "sms"))
    assert fate(her(), campaign) == Fate("push", 0, usable=("push", "email", "sms"))
    assert fate(her(devices=[]), campaign) == Fate("email", 1, usable=("email", "sms"))
    assert fate(her(yes=("sms",)), campaign) == Fate("sms", 2, usable=("sms",))
    assert fate(her(suppressed={"push": "dead_token"}), campaign) == Fate("email", 1, usable=("email", "sms"))


def test_who_gets_nothing_has_the_reason_of_the_first_rung() -> None:
    campaign = body(send("push", "email"))
    assert fate(her(yes=()), campaign).reason == "no_consent"
    assert fate(her(suppressed={"push": "x", "email": "x"}), campaign).reason == "suppressed"
    assert fate(her(devices=[], known=[]), campaign).reason == "unreachable"


def test_over_all_channels_each_has_its_own_fate() -> None:
    found = several(her(devices=[]), body(send("push", "email", mode="all")))
    assert [(each.channel, each.reason) for each in found] == [(None, "unreachable"), ("email", None)]


def test_a_cap_that_is_full_now_is_in_the_way_and_a_held_out_touch_is_not() -> None:
    campaign = body(send("push"), cap={"max": 1, "days": 7})
    touched = her(touches=[Touch("other", "s", "push", NOON - DAY)])
    assert fate(touched, campaign).reason == "over_cap"
    assert fate(touched, campaign, NOON + 6 * DAY).channel == "push"
    assert fate(her(touches=[Touch("other", "s", "push", NOON - DAY, held=True)]), campaign).channel == "push"


def test_night_and_blackout_defer_what_she_would_get() -> None:
    quiet = {"quiet_hours": {"start": "21:00", "end": "08:00"}}
    campaign = body(send("push"))
    assert fate(her(), campaign, NIGHT, **quiet) == Fate("push", 0, later="quiet_hours", usable=("push",))
    assert fate(her(), campaign, NOON, **quiet).later is None
    assert fate(her(zone="Asia/Tokyo"), campaign, NOON + 4 * HOUR, **quiet).later == "quiet_hours"
    closed = {"blackouts": [{"first": "2026-06-10", "last": "2026-06-10"}]}
    assert fate(her(), campaign, NOON, **closed).later == "blackout"
    service = body(send("push"), message_class="service")
    assert fate(her(), service, NIGHT, **quiet, **closed) == Fate("push", 0, usable=("push",))


def test_nobody_is_held_out_of_what_she_would_not_get() -> None:
    campaign = body(send("push"), holdout_percent=50)
    out = next(f"mbr_{number}" for number in range(100) if held_out("c", f"mbr_{number}", 50))
    assert fate(her(out), campaign) == Fate("push", 0, held_out=True, usable=("push",))
    assert fate(her(out, yes=()), campaign) == Fate(reason="no_consent")
    capped = body(send("push"), holdout_percent=50, cap={"max": 1, "days": 7})
    assert fate(her(out, touches=[Touch("other", "s", "push", NOON - DAY)]), capped).held_out


def test_the_global_holdout_is_of_marketing() -> None:
    out = next(f"mbr_{number}" for number in range(100) if held_out("*", f"mbr_{number}", 50))
    for kind, expected in (("marketing", True), ("service", False)):
        campaign = body(send("push"), message_class=kind)
        assert is_held_out("c", campaign, out, settings(global_holdout_percent=50)) == expected


@given(
    yes=st.sets(st.sampled_from(CHANNELS)),
    suppressed=st.sets(st.sampled_from(CHANNELS)),
    touches=st.lists(st.tuples(st.sampled_from(CHANNELS), st.integers(0, 10 * DAY)), max_size=6),
    hours=st.integers(0, 48),
    order=st.permutations(CHANNELS),
)
def test_a_fate_agrees_with_what_the_claim_decides(
    yes: set[str], suppressed: set[str], touches: list[tuple[str, int]], hours: int, order: list[str]
) -> None:
    caps = [{"max": 2, "days": 7}, {"channel": "sms", "max": 1, "days": 3}]
    messaging = {"quiet_hours": {"start": "21:00", "end": "08:00"}, "caps": caps}
    now = NOON + hours * HOUR
    state = her(
        yes=tuple(yes), suppressed=dict.fromkeys(suppressed, "x"), touches=[Touch("o", "s", channel, now - ago) for channel, ago in touches]
    )
    campaign = body(send(*order))
    step = campaign.steps[0]
    assert isinstance(step, SendStep)
    found = fate(state, campaign, now, **messaging)
    verdict = decide(policy_of(campaign, step, settings(**messaging)), state, set(CHANNELS), 0, now, now)
    if isinstance(verdict, Go):
        assert (found.channel, found.rung, found.later) == (verdict.channel, verdict.rung, None)
    elif isinstance(verdict, Drop) and verdict.reason in ("no_consent", "suppressed", "unreachable"):
        assert found == Fate(reason=verdict.reason)
    else:
        assert found.reason == "over_cap" or found.later is not None


def test_a_split_leads_one_way_and_a_branch_both() -> None:
    split = {"id": "ab", "kind": "split", "variants": [{"id": "a", "percent": 50, "then": "a"}, {"id": "b", "percent": 50, "then": "b"}]}
    end = {"id": "end", "kind": "end"}
    a, b = ({"id": name, "content": TEXT, "then": "end"} for name in "ab")
    campaign = body(split, a, b, end)
    step = campaign.steps[0]
    assert isinstance(step, SplitStep)
    for number in range(20):
        member = f"mbr_{number}"
        chosen = "ab"[variant_of(step, "c", member)]
        assert comes_to(campaign, "c", member) == {"ab": True, chosen: True, "end": True}
    branch = {"id": "q", "kind": "branch", "if": {"segment": "x"}, "then": "a", "otherwise": "b"}
    assert comes_to(body(branch, a, b, end), "c", "mbr_1") == {"q": True, "a": False, "b": False, "end": False}


def test_a_wait_for_time_is_passed_and_one_for_an_event_may_be() -> None:
    hour = {"id": "w", "kind": "wait", "minutes": 60}
    assert comes_to(body(hour, {"id": "a", "content": TEXT}), "c", "mbr_1") == {"w": True, "a": True}
    used = {"id": "w", "kind": "wait", "for": "coupon.redeemed", "timeout_minutes": 60, "then": "end", "otherwise": "a"}
    campaign = body(used, {"id": "a", "content": TEXT}, {"id": "end", "kind": "end"})
    assert comes_to(campaign, "c", "mbr_1") == {"w": True, "a": False, "end": False}
