"""One-time codes by SMS or e-mail: sent to whoever asks, known or not, and good for proving a phone number or address once.

Nothing here looks up whose number it is before the right code has come, so a request tells nobody who is a member, by its answer or its
time. What an attacker could spend of a tenant's money is bounded thrice: by the countries that are written to, per number, and per day.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from shared.kernel.errors import FieldError, Gone, NotFound, TooManyRequests, Unauthenticated, Unprocessable
from shared.kernel.ids import shard_of
from shared.kernel.instants import DAY, MINUTE, SECOND, Instant
from shared.members.errors import ChannelNotConfigured
from shared.members.identifiers import country_of, normalise
from shared.messaging.port import Message, Senders, Sent, configured, provider_settings
from shared.messaging.service_texts import plain_text
from shared.observability.logs import logger
from shared.privacy.crypto import derive
from shared.storage import keys_access
from shared.storage.errors import ConditionFailed
from shared.storage.expressions import Condition, Path
from shared.storage.items_access import OneTimeCodeItem
from shared.storage.keys import Key
from shared.storage.table import NOT_THERE_YET
from shared.tenants.links import open_token, seal_token
from shared.tenants.messaging import Channel
from shared.tenants.model import TenantSettings
from shared.tenants.scope import TenantScope

Kind = Literal["phone", "email"]
CHANNELS: Final[dict[Kind, Channel]] = {"phone": "sms", "email": "email"}
VALID: Final = 10 * MINUTE
RESEND: Final = MINUTE
TRIES: Final = 5
PER_ADDRESS: Final = 5
"""Codes a UTC day to one number or address."""
SHARDS: Final = 8
"""Of a tenant's count of a day; a small cap is counted in one."""
_PURPOSE: Final = "one-time-code"


class InvalidCode(Unauthenticated):
    """Not the code that was sent, or no longer: used, too old, or tried too often."""

    code, title = "invalid_code", "Invalid code"


class CodeTooSoon(TooManyRequests):
    """A code was sent a moment ago, or as often as one number or address gets one in a day."""

    code, title = "code_too_soon", "Code sent already"


class CodesSpent(TooManyRequests):
    """The tenant's codes of this day are used up."""

    code, title = "codes_spent", "No more codes today"


class CountryNotAllowed(Unprocessable):
    """The tenant sends no codes to numbers of this country."""

    code, title = "country_not_allowed", "Country not allowed"


@dataclass(frozen=True, slots=True)
class Addressed:
    """Whom a code was sent to, as far as it is told: the kind and the keyed hash of the number or address."""

    tenant: str
    kind: Kind
    blind: str

    @property
    def key(self) -> Key:
        """Where the code lies."""
        return keys_access.one_time_code(self.tenant, self.kind, self.blind)


@dataclass(frozen=True, slots=True)
class CodeDesk:
    """What codes are made and sent with."""

    master: bytes
    senders: Callable[[], Senders]
    entropy: Callable[[int], bytes] = os.urandom

    def digest(self, to: Addressed, sent_at: Instant, code: str) -> bytes:
        """What is stored of a code: of use for this address and sending alone."""
        text = "\0".join((to.tenant, to.kind, to.blind, str(sent_at), code))
        return hmac.digest(derive(self.master, "one-time-code-pepper"), text.encode(), hashlib.sha256)

    def seal(self, to: Addressed, ends: Instant) -> str:
        """The id of a code."""
        return seal_token(derive(self.master, "one-time-code-id"), _PURPOSE, {"t": to.tenant, "k": to.kind, "b": to.blind}, ends)

    def open(self, text: str, now: Instant) -> Addressed:
        """Whom a code was sent to; ``InvalidCode`` for any id that is not ours, or is too old. Reads nothing."""
        try:
            payload = open_token(derive(self.master, "one-time-code-id"), _PURPOSE, text, now)
        except (NotFound, Gone):
            raise InvalidCode from None
        return Addressed(payload["t"], payload["k"], payload["b"])


Texts = Callable[[Iterable[str], Mapping[str, str]], tuple[str, str]]
"""Title and body in the first of some languages, with words put in: ``code``, ``tenant``, ``minutes``."""


def _otp_text(languages: Iterable[str], values: Mapping[str, str]) -> tuple[str, str]:
    return plain_text("otp", languages, values)


def send(
    scope: TenantScope, kind: Kind, value: str, language: str | None, desk: CodeDesk, texts: Texts = _otp_text
) -> str:
    """Send a code to a number or address; the answer is the code's id. 1 read, 2 writes, one call of the provider, whoever it is.

    ``CodeTooSoon``, ``CodesSpent``, ``CountryNotAllowed``, ``ChannelNotConfigured``.
    """
    settings, now = scope.definitions.settings, scope.clock()
    address = normalise(kind, value, settings.country)
    channel = CHANNELS[kind]
    if not configured(channel, settings.messaging):
        hint = FieldError("/kind", "channel_not_configured", f"the tenant sends no {channel}")
        raise ChannelNotConfigured(f"This tenant sends no {channel}.", errors=(hint,))
    if kind == "phone":
        _check_country(settings, address)
    to = Addressed(scope.tenant, kind, scope.blind(kind, address))
    number = int.from_bytes(desk.entropy(8), "big") % 10**6
    code = f"{number:06d}"
    _reserve(scope, to, desk.digest(to, now, code), now)
    _count(scope, to, settings.codes.per_day, now)
    spoken = (language, *settings.languages) if language else settings.languages
    title, body = texts(spoken, {"code": code, "tenant": settings.name, "minutes": str(VALID // MINUTE)})
    # Nobody's: the senders leave out what is empty, and what providers tell of it is about no member.
    origin = {"tenant": scope.tenant, "member": "", "delivery": f"otp-{to.blind}-{now}", "campaign": "", "step": "otp"}
    how = provider_settings(channel, settings.messaging, address, lambda *_: b"")
    message = Message(title, body, ttl_seconds=VALID // SECOND, origin=origin, service=True, settings=how, at=now)
    result = desk.senders()[channel].send(address, message)
    if not isinstance(result, Sent):
        # The same answer all the same: what a provider knows of a number is nobody's business.
        logger().warning("one-time code not taken", extra={"channel": channel, "result": type(result).__name__})
    return desk.seal(to, now + VALID)


def check(scope: TenantScope, to: Addressed, code: str, desk: CodeDesk) -> bytes:
    """What ``use`` takes, if it is the right code. Each call is one of five tries, counted before anything is compared. A read, a write."""
    now, raw = scope.clock(), scope.table.get(to.key)
    item = OneTimeCodeItem.read(raw) if raw is not None else None
    digest: bytes | None = item.digest if item is not None else None
    if item is None or digest is None or now >= int(item.sent_at) + VALID:
        raise InvalidCode
    has_tries: Condition = (Path("digest") == digest) & (Path("tries") < TRIES)
    try:
        scope.table.update(to.key, [Path("tries").add(1)], has_tries)
    except ConditionFailed:
        raise InvalidCode from None
    if not hmac.compare_digest(desk.digest(to, int(item.sent_at), code), digest):
        raise InvalidCode
    return digest


def use(scope: TenantScope, to: Addressed, digest: bytes) -> None:
    """The code is used up: of two who send it at once, one succeeds. ``InvalidCode`` for the other. 1 write."""
    try:
        scope.table.update(to.key, [Path("digest").remove()], Path("digest") == digest)
    except ConditionFailed:
        raise InvalidCode from None


def _check_country(settings: TenantSettings, number: str) -> None:
    allowed = settings.codes.countries or ((settings.country,) if settings.country else ())
    if country_of(number) not in allowed:
        hint = FieldError("/value", "country_not_allowed", "a number of a country that the tenant sends codes to")
        raise CountryNotAllowed("This tenant sends no codes to numbers of this country.", errors=(hint,))


def _reserve(scope: TenantScope, to: Addressed, digest: bytes, now: Instant) -> None:
    """Put the code in place of the one before, if it is time for it."""
    raw, today, sends = scope.table.get(to.key), now // DAY, 0
    as_read: Condition = NOT_THERE_YET
    if raw is not None:
        before = OneTimeCodeItem.read(raw)
        sent_at, sends = int(before.sent_at), int(before.sends) if int(before.day) == today else 0
        if now < sent_at + RESEND:
            raise CodeTooSoon(retry_after=-(-(sent_at + RESEND - now) // SECOND))
        if sends >= PER_ADDRESS:
            raise CodeTooSoon(retry_after=_until_tomorrow(now))
        as_read = Path("sent_at") == sent_at
    item = OneTimeCodeItem.at(
        to.key, digest=digest, tries=0, sent_at=now, day=today, sends=sends + 1, expires_at=(now + 2 * DAY) // SECOND
    )
    try:
        scope.table.put(item, as_read)
    except ConditionFailed:
        raise CodeTooSoon(retry_after=RESEND // SECOND) from None


def _count(scope: TenantScope, to: Addressed, cap: int, now: Instant) -> None:
    """One more of the tenant's codes of this day, or ``CodesSpent``. The shards' caps add up to the cap."""
    shards = SHARDS if cap >= 50 * SHARDS else 1
    shard = shard_of(to.blind, shards)
    share = cap // shards + (1 if shard < cap % shards else 0)
    room: Condition = Path("sends").does_not_exist() | (Path("sends") < share)
    key = keys_access.one_time_codes_sent(scope.tenant, now // DAY, shard)
    if share == 0:
        raise CodesSpent(retry_after=_until_tomorrow(now))
    try:
        scope.table.update(key, [Path("sends").add(1), Path("expires_at").set((now + 2 * DAY) // SECOND)], room)
    except ConditionFailed:
        raise CodesSpent(retry_after=_until_tomorrow(now)) from None


def _until_tomorrow(now: Instant) -> int:
    return (DAY - now % DAY) // SECOND
