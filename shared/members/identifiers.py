"""Identifiers: one spelling for each, so that the same person is found again, and a mask for showing one.

Normalising is idempotent: what it returns normalises to itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Final, Literal, get_args

from shared.kernel.errors import FieldError, Unprocessable

IdentifierKind = Literal["apple", "google", "phone", "email", "card", "external"]
KINDS: Final[tuple[IdentifierKind, ...]] = get_args(IdentifierKind)
_SUBJECT: Final = re.compile(r"[!-~]{1,255}")
_CARD: Final = re.compile(r"[0-9A-Z]{4,32}")
_CARD_SEPARATORS: Final = re.compile(r"[\s./_-]+")
_LOCAL: Final = re.compile(r"[^\s@\"(),:;<>\[\]\\\x00-\x1f\x7f]{1,64}")
_DOMAIN: Final = re.compile(r"(?=.{1,253}\Z)(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_](?:[\w-]{0,61}[^\W_])?")
_MAX_EMAIL: Final = 254
_MAX_PHONE: Final = 40
_MAX_EXTERNAL: Final = 128
_HIDDEN: Final = "***"


class InvalidIdentifier(Unprocessable):
    """Not an identifier of that kind. Neither the detail nor the errors repeat it."""

    code, title = "invalid_identifier", "Invalid identifier"

    def __init__(self, kind: str, wanted: str, pointer: str) -> None:
        super().__init__(f"Not a usable {kind}.", errors=(FieldError(pointer, "invalid_identifier", wanted),))


def normalise(kind: IdentifierKind, text: str, default_region: str | None = None, *, pointer: str = "/value") -> str:
    """The one spelling of an identifier, or ``InvalidIdentifier`` pointing at ``pointer``.

    phone: E.164, valid by the numbering plans of ``phonenumbers`` (``default_region``, such as ``DE``, for numbers
    without a country code). email: NFC, lower case. card: letters and digits in upper case, 4 to 32, separators removed.
    external: NFC, trimmed, 1 to 128 characters. apple, google: the subject as it is.
    """
    if kind == "phone":
        return _phone(text, default_region, pointer)
    normalised, wanted = _BY_KIND[kind](text), _WANTED[kind]
    if normalised is None:
        raise InvalidIdentifier(kind, wanted, pointer)
    return normalised


def country_of(number: str) -> str | None:
    """ISO 3166-1 of an E.164 number; ``None`` for one that belongs to no country, such as a satellite phone's."""
    import phonenumbers

    return phonenumbers.region_code_for_number(phonenumbers.parse(number))


def mask(kind: IdentifierKind, normalised: str) -> str:
    """What may be shown at a till: ``+49***34``, ``a***@example.com``, ``***2890``. Nothing at all of the other kinds."""
    if kind == "phone":
        return f"{normalised[:3]}{_HIDDEN}{normalised[-2:]}"
    if kind == "email":
        local, _, domain = normalised.rpartition("@")
        return f"{local[:1]}{_HIDDEN}@{domain}"
    if kind == "card":
        shown = min(4, len(normalised) // 2)
        return f"{_HIDDEN}{normalised[-shown:]}"
    return _HIDDEN


def _phone(text: str, default_region: str | None, pointer: str) -> str:
    # Imported here: 50 ms of import that only the phone path needs.
    import phonenumbers

    wanted = "a phone number with its country code, as in +4915112345678"
    if len(text) > _MAX_PHONE:
        raise InvalidIdentifier("phone", wanted, pointer)
    try:
        number = phonenumbers.parse(text, default_region)
    except phonenumbers.NumberParseException:
        raise InvalidIdentifier("phone", wanted, pointer) from None
    # E.164 has no extensions: two desks behind one number would become one person.
    usable = phonenumbers.is_valid_number(number) and not number.extension
    if not usable:
        raise InvalidIdentifier("phone", wanted, pointer)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _email(text: str) -> str | None:
    lowered = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text.strip()).lower())
    local, at, domain = lowered.rpartition("@")
    well_formed = (
        at == "@"
        and len(lowered) <= _MAX_EMAIL
        and _LOCAL.fullmatch(local) is not None
        and not local.startswith(".")
        and not local.endswith(".")
        and ".." not in local
        and _DOMAIN.fullmatch(domain) is not None
    )
    return lowered if well_formed and _is_printable(lowered) else None


def _card(text: str) -> str | None:
    bare = _CARD_SEPARATORS.sub("", text) if text.isascii() else ""
    return bare.upper() if _CARD.fullmatch(bare.upper()) else None


def _external(text: str) -> str | None:
    normalised = unicodedata.normalize("NFC", text).strip()
    return normalised if 1 <= len(normalised) <= _MAX_EXTERNAL and _is_printable(normalised) else None


def _subject(text: str) -> str | None:
    return text if _SUBJECT.fullmatch(text) else None


def _is_printable(text: str) -> bool:
    # Other, control to unassigned: also invisible format characters that make two spellings look like one.
    return not any(unicodedata.category(character).startswith("C") for character in text)


_BY_KIND: Final[dict[str, Callable[[str], str | None]]] = {
    "apple": _subject,
    "google": _subject,
    "email": _email,
    "card": _card,
    "external": _external,
}
_WANTED: Final = {
    "apple": "the subject of an identity token",
    "google": "the subject of an identity token",
    "email": "an address as in name@example.com",
    "card": "4 to 32 letters and digits",
    "external": "1 to 128 printable characters",
}
