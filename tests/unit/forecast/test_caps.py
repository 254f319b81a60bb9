"""What caps cost: against the decision that the claim makes, message by message."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.campaigns.eligibility import CapRule, Go, Policy, decide
from shared.forecast.caps import lost
from shared.forecast.planned import Planned
from shared.kernel.instants import DAY, HOUR, parse_rfc3339
from shared.member_state.model import Consent, MemberState, Touch
from shared.tenants.messaging import Channel

NOW = parse_rfc3339("2026-06-10T10:00:00Z")
CHANNELS: tuple[Channel, ...] = ("push", "email", "inbox")
WEEKLY = (CapRule(1, 7 * DAY),)


def message(campaign: str, days: int, caps: tuple[CapRule, ...] = WEEKLY, *, priority: int = 50, channel: Channel = "push") -> Planned:
    return Planned(NOW + days * DAY, -priority, campaign, "s", channel, caps)


def names(touches: list[Touch], *planned: Planned) -> list[str]:
    return [each.campaign for each in lost(touches, planned)]


def test_the_first_takes_the_room_and_after_the_window_there_is_room_again() -> None:
    assert names([], message("a", 0), message("b", 6), message("c", 7), message("d", 13)) == ["b", "d"]


def test_at_one_instant_the_higher_priority_goes_first() -> None:
    assert names([], message("a", 0), message("b", 0, priority=60)) == ["a"]
    assert names([], message("a", 0, priority=60), message("b", 0)) == ["b"]


def test_what_she_has_got_takes_room_and_what_no_cap_counts_does_not() -> None:
    for touch, expected in (
        (Touch("x", "s", "push", NOW - DAY), ["a"]),
        (Touch("x", "s", "push", NOW - 7 * DAY), []),
        (Touch("x", "s", "push", NOW - DAY, held=True), []),
        (Touch("x", "s", "push", NOW - DAY, service=True), []),
        (Touch("x", "s", "webhook", NOW - DAY), []),
        (Touch("x", "s", "-", NOW - DAY), []),
    ):
        assert names([touch], message("a", 0)) == expected


def test_a_cap_of_a_channel_counts_that_channel_and_a_lost_message_takes_no_room() -> None:
    caps = (CapRule(1, 7 * DAY, "push"),)
    planned = [message("a", 0, caps), message("b", 1, caps, channel="email"), message("c", 2, caps), message("d", 7, caps)]
    assert names([], *planned) == ["c"]


def test_a_service_message_takes_no_room() -> None:
    service = Planned(NOW, -50, "a", "s", "push", (), counts=False)
    assert names([], service, message("b", 1)) == []


rules = st.builds(
    CapRule, st.integers(1, 3), st.sampled_from([DAY, 3 * DAY, 7 * DAY]), st.sampled_from([None, *CHANNELS])
)  # fmt: skip
messages = st.builds(
    lambda hours, priority, campaign, channel, caps: Planned(NOW + hours * HOUR, -priority, campaign, "s", channel, caps),
    st.integers(0, 240), st.integers(0, 3), st.sampled_from("abc"), st.sampled_from(CHANNELS), st.lists(rules, max_size=3).map(tuple),
)  # fmt: skip
past = st.builds(
    lambda channel, hours, held, service: Touch("x", "s", channel, NOW - hours * HOUR, held=held, service=service),
    st.sampled_from(CHANNELS), st.integers(0, 240), st.booleans(), st.booleans(),
)  # fmt: skip


@given(st.lists(past, max_size=6), st.lists(messages, max_size=14))
def test_it_agrees_with_claiming_each_message_in_its_turn(touches: list[Touch], planned: list[Planned]) -> None:
    consents = {f"marketing:{channel}": Consent(True, 0, "1") for channel in CHANNELS}
    state, expected = MemberState("demo", "mbr_1", consents=consents, touches=list(touches)), []
    for each in sorted(planned):
        policy = Policy(True, "marketing", (each.channel,), "Europe/Berlin", each.caps)
        if isinstance(decide(policy, state, {each.channel}, 0, each.at, each.at), Go):
            state.touches.append(Touch(each.campaign, "s", each.channel, each.at))
        else:
            expected.append(each)
    assert lost(touches, planned) == expected
