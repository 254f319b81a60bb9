"""How a tenant writes to its guests: channels, quiet hours, caps, blackout days, prices, and what each channel's provider needs.

Nothing here is secret: credentials of push are with the push service, a webhook's secret is derived from the master secret.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, StrictBool, StrictInt, StringConstraints, model_validator

from shared.kernel.errors import AppError
from shared.kernel.ids import is_id
from shared.tenants.base import Frozen, Name

Channel = Literal["push", "email", "sms", "inbox", "webhook"]
"""Wallet cards and bots come by adding a name here and a sender (``shared.messaging.port``)."""
CHANNELS: Final[tuple[Channel, ...]] = ("push", "email", "sms", "inbox", "webhook")
MAX_PRICE: Final = 10**12
"""Millionths of a minor unit per message: a million minor units."""


def _day(value: str) -> str:
    if date.fromisoformat(value).isoformat() != value:
        raise ValueError("a day is written 2026-12-24")
    return value


LocalTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""``HH:MM`` of a local day."""
Day = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_day)]
"""An ISO day."""
Country = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}|\*)$")]
"""ISO 3166-1, or ``*`` for every other one."""
MailAddress = Annotated[str, StringConstraints(max_length=254, pattern=r"^[A-Za-z0-9._%+'-]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}$")]
MailFrom = Annotated[
    str,
    StringConstraints(
        max_length=320,
        pattern=r"^(?:[^<>\"@\r\n,;:\\]{1,60} <[A-Za-z0-9._%+'-]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}>"
        r"|[A-Za-z0-9._%+'-]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63})$",
    ),
]
"""``news@example.com`` or ``Example <news@example.com>``."""
ProviderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""What SES and End User Messaging take as a name of a configuration set or tenant."""
Origination = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_:/+-]{1,256}$")]
"""A phone number, a sender id, a pool, or the ARN of one."""


class QuietHours(Frozen):
    """No marketing from ``start`` up to ``end``, in the member's local time; may pass midnight."""

    start: LocalTime
    end: LocalTime

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.start == self.end:
            raise ValueError("start and end are different")
        return self


class ChannelCap(Frozen):
    """At most ``max`` marketing messages over a channel (none named: over all together) in ``days`` rolling days of 24 hours."""

    channel: Channel | None = None
    max: StrictInt = Field(ge=1, le=50)
    days: StrictInt = Field(ge=1, le=90)


class Blackout(Frozen):
    """No marketing from the tenant's local day ``first`` to ``last``, both included."""

    first: Day
    last: Day

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError("last is not before first")
        return self


class EmailSettings(Frozen):
    """Whom e-mail comes from, and how SES knows the tenant (``ses_tenant``: its reputation and suppression are its own)."""

    from_address: MailFrom
    reply_to: MailAddress | None = None
    configuration_set: ProviderName | None = None
    ses_tenant: ProviderName | None = None


class SmsSettings(Frozen):
    """Whom SMS comes from (AWS End User Messaging). ``max_price``: in US dollars, what one part may cost."""

    origination: Origination
    configuration_set: ProviderName | None = None
    protect_configuration: ProviderName | None = Field(default=None, description="the list of countries that are written to")
    max_price: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,2}\.[0-9]{1,5}$")] | None = None


class WebhookSettings(Frozen):
    """Where a campaign's webhooks go. A higher ``version`` means a new signing secret. Plain http is for a local stage, to this machine."""

    url: Annotated[str, StringConstraints(max_length=500, pattern=r"^(https://|http://(127\.0\.0\.1|localhost)[:/])[\x21-\x7e]+$")]
    version: StrictInt = Field(default=1, ge=1, le=10**6)


MemberId = Annotated[str, StringConstraints(pattern=r"^mbr_[0-9A-HJKMNP-TV-Z]{26}$")]
LinkBase = Annotated[str, StringConstraints(max_length=120, pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*[A-Za-z0-9_~-])?$")]
"""Without a slash at the end."""
Price = Annotated[StrictInt, Field(ge=0, le=MAX_PRICE)]


def _recipient(value: str) -> str:
    """Whom a test environment may write to, in the one spelling of its kind."""
    # Imported here: few tenants have such a list, and every function reads settings.
    from shared.members.identifiers import normalise

    if is_id("mbr", value):
        return value
    try:
        return normalise("email" if "@" in value else "phone", value)
    except AppError:
        raise ValueError("an e-mail address, a phone number with its country code, or a member's id") from None


Recipient = Annotated[str, StringConstraints(min_length=1, max_length=254), AfterValidator(_recipient)]


class MessagingSettings(Frozen):
    """Everything of a tenant's messages that is not a campaign's own."""

    quiet_hours: QuietHours | None = None
    caps: tuple[ChannelCap, ...] = Field(default=(), max_length=10)
    blackouts: tuple[Blackout, ...] = Field(default=(), max_length=100)
    global_holdout_percent: StrictInt = Field(default=0, ge=0, le=50, description="share that gets no marketing at all, always the same")
    prices: dict[Channel, Annotated[dict[Country, Price], Field(max_length=300)]] = Field(
        default_factory=dict, description="by channel and country (* for the others): millionths of a minor unit per message; none: 0"
    )
    per_second: dict[Channel, Annotated[StrictInt, Field(ge=1, le=10_000)]] = Field(
        default_factory=dict, description="messages a second that the provider's credential takes"
    )
    email: EmailSettings | None = None
    sms: SmsSettings | None = None
    link_base: LinkBase | None = Field(default=None, description="where links in messages lead: a domain of the tenant's that leads to us")
    webhooks: dict[Name, WebhookSettings] = Field(default_factory=dict, max_length=20)
    test_members: tuple[MemberId, ...] = Field(default=(), max_length=20, description="members whom test messages may be sent to")
    test_recipients: tuple[Recipient, ...] = Field(
        default=(), max_length=50, description="of a test environment alone, whose messages reach nobody else: e-mail addresses, phone "
        "numbers with their country codes, and for push members' ids"
    )  # fmt: skip
    approval: StrictBool = Field(default=False, description="a campaign is launched only after a second person approved it")
