"""The one port of all channels: what is sent to an address, and what may come of it. Pure.

Addresses: push = the device's endpoint, email = the address, sms = E.164, inbox = the member's id, webhook = the endpoint's name in
the tenant's settings. A new channel is a new name (``shared.tenants.messaging``) and one more ``Sender``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from shared.kernel.instants import DAY, SECOND, Instant
from shared.tenants.messaging import Channel, EmailSettings, MessagingSettings, SmsSettings

CAMPAIGN_MESSAGE: Final = "campaign.message"
MAX_TTL_SECONDS: Final = 28 * DAY // SECOND
"""What FCM keeps a message for at most; no channel keeps one for longer, but for the inbox."""


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """Where a webhook goes and what signs it (Standard Webhooks: the raw secret, without ``whsec_``)."""

    url: str
    secret: bytes = field(repr=False)


ProviderSettings = EmailSettings | SmsSettings | WebhookTarget
"""What a sender must know of the tenant beside the message."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message for one address. ``data`` goes to the app or system with it; ``origin`` says whose it is and what sent it, ids only."""

    title: str
    """Of an e-mail the subject; an SMS has none."""
    body: str
    data: Mapping[str, str] = field(default_factory=dict)
    ttl_seconds: int = DAY // SECOND
    origin: Mapping[str, str] = field(default_factory=dict)
    """``tenant``, ``member``, ``delivery``, ``campaign``, ``step``."""
    html: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of an e-mail: ``unsubscribe_headers`` of ``shared.messaging.email``."""
    service: bool = False
    settings: ProviderSettings | None = None
    """See ``provider_settings``."""
    at: Instant = 0
    """When it was claimed: the same however often it is handed over."""
    event: str = CAMPAIGN_MESSAGE
    """Of a webhook: the type of what it tells."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it."""

    id: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The provider will not take it, now or later; nothing went out. ``dead``: this address never gets anything again."""

    reason: str
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Throttled:
    """The provider is too busy, or not reached at all: nothing went out, and the same call may be made again later."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """The connection broke on the way: it may have gone out."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """No provider was asked, because it is not to leave the house (``shared.messaging.fence``)."""

    reason: str


OPTED_OUT: Final = Unreachable("opted_out", dead=True)
"""The provider keeps her own no: she wrote STOP to our number."""
Result = Sent | Unreachable | Throttled | Unclear | Withheld


class Sender(Protocol):
    """Sends to one address (a provider; a list in tests). Never tries a second time by itself: a message cannot be taken back."""

    def send(self, address: str, message: Message) -> Result:
        """Hand one message over. Raises nothing of the provider's."""


Senders = Mapping[Channel, Sender]
"""A channel that is not in it cannot be sent over."""


def configured(channel: Channel, settings: MessagingSettings) -> bool:
    """Whether the tenant has what the channel needs of it. Push needs an application per platform, which its devices prove."""
    match channel:
        case "email":
            return settings.email is not None
        case "sms":
            return settings.sms is not None
        case "webhook":
            return bool(settings.webhooks)
    return True


def provider_settings(
    channel: Channel, settings: MessagingSettings, address: str, secret: Callable[[str, int], bytes]
) -> ProviderSettings | None:
    """``Message.settings`` of a channel. ``secret`` makes a webhook's by name and version; called for webhooks alone.

    ``None`` where the channel needs nothing, and where the tenant lacks it: the sender then refuses with ``not_configured``.
    """
    match channel:
        case "email":
            return settings.email
        case "sms":
            return settings.sms
        case "webhook" if address in settings.webhooks:
            endpoint = settings.webhooks[address]
            return WebhookTarget(endpoint.url, secret(address, endpoint.version))
    return None


def webhook_secret_purpose(tenant: str, name: str, version: int) -> str:
    """What a webhook's secret is derived for: ``derive(master secret, this)``; it is stored nowhere."""
    return f"webhook|{tenant}|{name}|{version}"
