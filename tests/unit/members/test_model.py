from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.errors import Unprocessable
from shared.kernel.instants import parse_rfc3339
from shared.member_state.model import MAX_ATTRIBUTES, Facts, HeldCoupon, MemberState
from shared.members.answers import is_usable
from shared.members.api import ProfileFields
from shared.members.changes import changed_attributes
from shared.members.errors import TooManyAttributes
from shared.members.model import PERSONAL, facts_of, known, masked_name, merged, normalised
from shared.privacy.registry import GROUPS

NOW = parse_rfc3339("2026-11-21T23:30:00Z")
NAMES = st.sampled_from(PERSONAL)
FIELDS = st.dictionaries(NAMES, st.text(min_size=1, max_size=5))
PATCHES = st.dictionaries(NAMES, st.none() | st.text(min_size=1, max_size=5))


def test_every_personal_field_of_the_interface_has_one_group() -> None:
    assert sorted(PERSONAL) == sorted(ProfileFields.model_fields)
    assert len(set(PERSONAL)) == sum(len(names) for names in GROUPS.values())


def merge_patch(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """RFC 7396, section 2, for objects of depth one."""
    result = dict(target)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = value
    return result


@given(FIELDS, PATCHES)
def test_merging_is_rfc_7396(fields: dict[str, str], patch: dict[str, str | None]) -> None:
    before = dict(fields)
    assert merged(fields, patch) == merge_patch(fields, patch)
    assert fields == before


@given(FIELDS, PATCHES)
def test_merging_twice_is_merging_once(fields: dict[str, str], patch: dict[str, str | None]) -> None:
    once = merged(fields, patch)
    assert merged(once, patch) == once
    assert known(once) == tuple(sorted(once))


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"first_name": "Anna", "last_name": "Schmidt"}, "Anna S."),
        ({"first_name": "Anna"}, "Anna"),
        ({"last_name": "Schmidt"}, "S."),
        ({"email": "a@b.example"}, None),
    ],
)
def test_a_masked_name_greets_without_telling_who(fields: dict[str, str], shown: str | None) -> None:
    assert masked_name(fields) == shown


def test_facts_are_what_segments_may_ask_for() -> None:
    assert facts_of({"birth_date": "1970-01-11", "gender": "other", "language": "de", "city": "Graz"}) == Facts(10, "other", "de")
    assert facts_of({}) == Facts()


def test_contact_fields_get_their_one_spelling() -> None:
    patch = {"phone": "0151 12345678", "email": " Anna@Example.COM ", "city": None}
    assert normalised(patch, "DE", NOW, "Europe/Berlin", "") == {"phone": "+4915112345678", "email": "anna@example.com", "city": None}
    assert normalised({"phone": "044 668 18 00", "country": "CH"}, "DE", NOW, "UTC", "")["phone"] == "+41446681800"


@pytest.mark.parametrize(("date", "zone", "fits"), [
    ("2026-11-22", "Europe/Berlin", True), ("2026-11-22", "UTC", False), ("1896-01-01", "UTC", False), ("1990-02-30", "UTC", False),
])  # fmt: skip
def test_a_birth_date_is_a_day_of_the_last_130_years(date: str, zone: str, fits: bool) -> None:
    if fits:
        assert normalised({"birth_date": date}, None, NOW, zone, "/p") == {"birth_date": date}
        return
    with pytest.raises(Unprocessable) as refused:
        normalised({"birth_date": date}, None, NOW, zone, "/p")
    assert refused.value.errors[0].pointer == "/p/birth_date"


SCALARS = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from("ab")


@given(
    st.dictionaries(st.sampled_from("pqrs"), SCALARS.filter(lambda value: value is not None)),
    st.dictionaries(st.sampled_from("pqrs"), SCALARS),
)
def test_only_attributes_that_differ_are_changed(held: dict[str, Any], patch: dict[str, Any]) -> None:
    changed = changed_attributes(MemberState("demo", "m", attributes=dict(held)), patch)
    assert typed(merge_patch(held, changed)) == typed(merge_patch(held, patch))
    for name, value in changed.items():
        assert (type(held.get(name)), held.get(name)) != (type(value), value)


def typed(values: dict[str, Any]) -> dict[str, tuple[type, Any]]:
    return {name: (type(value), value) for name, value in values.items()}


def test_a_member_has_at_most_fifty_attributes() -> None:
    state = MemberState("demo", "m", attributes={f"a{number}": number for number in range(MAX_ATTRIBUTES)})
    assert changed_attributes(state, {"a0": 5}) == {"a0": 5}
    assert changed_attributes(state, {"a0": None, "b": 1}) == {"a0": None, "b": 1}
    with pytest.raises(TooManyAttributes):
        changed_attributes(state, {"b": 1})


def test_a_coupon_of_the_state_is_usable_between_its_instants() -> None:
    coupon = HeldCoupon("fries", "active", 10, 20)
    assert [is_usable(coupon, now) for now in (9, 10, 19, 20)] == [False, True, True, False]
    assert not is_usable(HeldCoupon("fries", "held", 10, 20), 15)
