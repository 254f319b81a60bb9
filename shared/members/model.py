"""Personal fields: their groups (each sealed by itself), and what the rest of the house may know of them. Pure.

A member's fields are a ``dict`` of name -> text, absent where there is no value: ``birth_date`` as an ISO date, ``phone`` in
E.164, ``email`` in lower case, ``home`` as latitude and longitude in millionths of a degree (``52520008,13404954``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from shared.kernel.errors import FieldError, InvalidValue, Unprocessable
from shared.kernel.instants import Instant, day_of, local_day, zone
from shared.member_state.model import Consent, Facts
from shared.members.errors import InvalidTimeZone
from shared.members.identifiers import normalise
from shared.privacy.registry import GROUPS

Fields = Mapping[str, str]
PERSONAL: Final = tuple(name for names in GROUPS.values() for name in names)
"""Every field of the profile. Groups and fields are the registry's (``shared.privacy.registry``)."""
LISTING_SHARDS: Final = 1
"""Shards of the listing of all members of a tenant (``shared.storage.keys.members_listing``)."""
MAX_AGE_DAYS: Final = 130 * 366


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """One consent given or withdrawn, with what proves it."""

    purpose: str
    channel: str
    granted: bool
    version: str
    at: Instant
    source: str
    actor: str
    """Id of the key that sent it, or of the member herself."""
    text: str = ""
    """What she was shown. Stored sealed: it may address her by her name."""
    proof: str = ""
    """The delivery whose link, bounce or complaint says so; of one that was confirmed elsewhere, where."""
    state: Literal["", "pending", "confirmed"] = ""
    """Of a consent that needs a second step: asked for, which is no answer yet, or taken."""
    asked_at: Instant = 0
    """Of a confirmed one: when she was asked."""

    @property
    def key(self) -> str:
        """How the state names the purpose and channel."""
        return f"{self.purpose}:{self.channel}"

    @property
    def is_yes(self) -> bool:
        """Whether it says yes, be it that she has to confirm it."""
        return self.granted or self.state == "pending"

    @property
    def current(self) -> Consent:
        """The answer that holds from now on."""
        return Consent(self.granted, self.at, self.version)


def merged(fields: Fields, patch: Mapping[str, str | None]) -> dict[str, str]:
    """The fields after a merge patch (RFC 7396): a value replaces, ``None`` removes, what is not named stays."""
    result = {**fields, **{name: value for name, value in patch.items() if value is not None}}
    return {name: value for name, value in result.items() if not (name in patch and patch[name] is None)}


def known(fields: Fields) -> tuple[str, ...]:
    """The names of the fields that have a value, sorted."""
    return tuple(sorted(fields))


def facts_of(fields: Fields) -> Facts:
    """What segments may ask for."""
    birth_date = fields.get("birth_date")
    home = home_of(fields)
    return Facts(day_of(birth_date) if birth_date is not None else None, fields.get("gender"), fields.get("language"), home)


def home_of(fields: Fields) -> tuple[int, int] | None:
    """Where she lives: latitude and longitude in millionths of a degree."""
    text = fields.get("home")
    if text is None:
        return None
    latitude, longitude = text.split(",")
    return int(latitude), int(longitude)


def masked_name(fields: Fields) -> str | None:
    """``Anna S.``: enough to greet and to be sure, too little to find her elsewhere."""
    first, last = fields.get("first_name"), fields.get("last_name")
    if first is None:
        return f"{last[0]}." if last is not None else None
    return f"{first} {last[0]}." if last is not None else first


def checked_zone(name: str | None) -> str:
    """The name as the state keeps it: empty for the tenant's zone. ``InvalidTimeZone`` points at ``/time_zone``."""
    try:
        return zone(name).key if name is not None else ""
    except InvalidValue as error:
        hint = FieldError("/time_zone", "invalid_time_zone", f"{error}; expected an IANA name as in Europe/Berlin")
        raise InvalidTimeZone("The time zone does not exist; see errors.", errors=(hint,)) from None


def normalised(patch: Mapping[str, Any], country: str | None, now: Instant, tenant_zone: str, at: str) -> dict[str, str | None]:
    """A patch in our spelling; refusals point at ``<at>/<field>``. ``country`` reads phone numbers without a country code."""
    result = dict(patch)
    home = patch.get("home")
    if home is not None:
        result["home"] = f"{home['latitude_e6']},{home['longitude_e6']}"
    phone, email, birth_date = patch.get("phone"), patch.get("email"), patch.get("birth_date")
    if phone is not None:
        result["phone"] = normalise("phone", phone, patch.get("country") or country, pointer=f"{at}/phone")
    if email is not None:
        result["email"] = normalise("email", email, pointer=f"{at}/email")
    if birth_date is not None:
        _check_birth_date(birth_date, local_day(now, tenant_zone), f"{at}/birth_date")
    return result


def _check_birth_date(text: str, today: int, pointer: str) -> None:
    try:
        day = day_of(text)
    except InvalidValue as error:
        hint = FieldError(pointer, "invalid_value", str(error))
        raise Unprocessable("The request does not fit; see errors.", errors=(hint,)) from None
    if not today - MAX_AGE_DAYS <= day <= today:
        hint = FieldError(pointer, "invalid_value", "a day of birth is not in the future, nor 130 years ago")
        raise Unprocessable("The request does not fit; see errors.", errors=(hint,))
