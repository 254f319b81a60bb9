"""How leaves about who she is are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from zlib import crc32

from shared.kernel.instants import NEVER, date_of, format_day, local_day
from shared.member_state.model import MemberState
from shared.segments.birthdays import age, birthday, years_old
from shared.segments.geometry import centre_of, locations_within, metres_between
from shared.segments.language.base import COMPARE
from shared.segments.language.person import (
    BOT_KINDS,
    WALLET_CARD_KINDS,
    Age,
    Attribute,
    Birthday,
    Bucket,
    ConsentGiven,
    Fact,
    Identifier,
    Joined,
    MemberTag,
    Presence,
    Radius,
    StaticList,
)
from shared.segments.leaves import Answer, Moment, Reader
from shared.segments.reading.purchases import since


def attribute_value(state: MemberState, name: str) -> str | int | bool | None:
    """The value of a built-in or declared attribute, None if there is none. Empty text is none."""
    prefix, colon, rest = name.partition(":")
    if colon:
        return rest in (state.identifier_kinds if prefix == "has_identifier" else state.known)
    if name == "tier":
        return state.tier.id if state.tier is not None else None
    built_in: dict[str, str | int | bool] = {
        "status": state.status, "join_source": state.join_source, "join_location": state.join_location,
        "has_device": bool(state.devices), "lifetime_purchases": state.profile.count, "lifetime_value": state.profile.value,
    }  # fmt: skip
    value = built_in[name] if name in built_in else state.attributes.get(name)
    return None if value == "" else value


def _attribute(leaf: Attribute, moment: Moment) -> Answer:
    value = attribute_value(moment.state, leaf.name)
    if leaf.op in {"exists", "missing"}:
        return Answer((value is not None) == (leaf.op == "exists"), NEVER, value)
    choices = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    if type(value) is not type(choices[0]):
        return Answer(None, NEVER, value)
    return Answer(value in choices if leaf.op == "in" else COMPARE[leaf.op](value, leaf.value), NEVER, value)


def _consent(leaf: ConsentGiven, moment: Moment) -> Answer:
    consent = moment.state.consents.get(f"{leaf.purpose}:{leaf.channel}")
    return Answer(None, NEVER) if consent is None else Answer(consent.granted == leaf.granted, NEVER, consent.granted)


def _presence(leaf: Presence, moment: Moment) -> Answer:
    state = moment.state
    if leaf.of == "device":
        return Answer(bool(state.devices), NEVER, len(state.devices))
    kinds = WALLET_CARD_KINDS if leaf.of == "wallet_card" else BOT_KINDS
    found = sorted(set(kinds) & set(state.identifier_kinds))
    return Answer(bool(found), NEVER, found)


def _identifier(leaf: Identifier, moment: Moment) -> Answer:
    kinds = moment.state.identifier_kinds
    return Answer(leaf.identifier in kinds, NEVER, kinds)


def _member_tag(leaf: MemberTag, moment: Moment) -> Answer:
    return Answer(leaf.tag in moment.state.tags, NEVER, moment.state.tags)


def _list(leaf: StaticList, moment: Moment) -> Answer:
    return Answer(leaf.list in moment.state.lists, NEVER, sorted(moment.state.lists))


def _fact(leaf: Fact, moment: Moment) -> Answer:
    facts = moment.facts
    value = None if facts is None else facts.gender if leaf.of == "gender" else facts.language
    return Answer(value in leaf.names if value is not None else None, NEVER, value)


def _joined(leaf: Joined, moment: Moment) -> Answer:
    return since(leaf, moment.state.joined_at or None, moment, leaf.time_zone)


def _birth_date(moment: Moment) -> int | None:
    return moment.facts.birth_date if moment.facts is not None else None


def _birthday(leaf: Birthday, moment: Moment) -> Answer:
    born_on, zone = _birth_date(moment), leaf.time_zone or moment.zone
    found = birthday(leaf, born_on, local_day(moment.now, zone), zone)
    return Answer(*found, format_day(born_on) if born_on is not None else None)


def _age(leaf: Age, moment: Moment) -> Answer:
    born_on, zone = _birth_date(moment), leaf.time_zone or moment.zone
    today = local_day(moment.now, zone)
    years = years_old(date_of(born_on), today) if born_on is not None and born_on <= today else None
    return Answer(*age(leaf, born_on, today, zone), years)


def _radius(leaf: Radius, moment: Moment) -> Answer:
    if leaf.of == "last_location":
        last = moment.state.profile.last_location
        return Answer(locations_within(leaf, moment.context).get(last), NEVER, last or None)
    centre = centre_of(leaf, moment.context)
    home = moment.facts.home if moment.facts is not None else None
    if centre is None or home is None:
        return Answer(None, NEVER)
    metres = metres_between(centre, home)
    return Answer(metres <= leaf.metres, NEVER, {"metres": round(metres)})


def bucket_of(salt: str, member: str) -> int:
    """0 to 99, the same for ever."""
    return crc32(f"{salt}|{member}".encode()) % 100


def _bucket(leaf: Bucket, moment: Moment) -> Answer:
    bucket = bucket_of(leaf.salt, moment.state.member)
    return Answer(leaf.from_ <= bucket < leaf.until, NEVER, bucket)


READERS: Final[Mapping[str, Reader]] = {
    "attribute": _attribute, "consent": _consent, "has": _presence, "identifier": _identifier, "member_tag": _member_tag,
    "list": _list, "fact": _fact, "joined": _joined, "birthday": _birthday, "age": _age, "radius": _radius, "bucket": _bucket,
}  # fmt: skip
