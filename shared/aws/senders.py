"""The senders of a stage, by channel. Clients are made with the first message that goes over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from shared.aws.email_sending import SesSender
from shared.aws.handing_over import calling_once
from shared.aws.push_sending import SnsSender
from shared.aws.sms_sending import SmsSender
from shared.aws.webhook_sending import WebhookSender
from shared.kernel.instants import Clock
from shared.messaging.fence import Fence
from shared.messaging.inbox import InboxSender
from shared.messaging.outbox import Outbox, Store
from shared.messaging.port import Message, Result, Sender, Senders
from shared.tenants.messaging import Channel
from shared.tenants.scope import TenantScope


@dataclass(slots=True)
class _Late:
    """A sender that is made when it is first used."""

    make: Callable[[], Sender]
    made: Sender | None = field(default=None)

    def send(self, address: str, message: Message) -> Result:
        if self.made is None:
            self.made = self.make()
        return self.made.send(address, message)


class _LocalSms:
    """The client of a local stage, whose AWS has no SMS: the outbox round it is the provider."""

    def send_text_message(self, **request: object) -> dict[str, str]:
        context = request["Context"]
        return {"MessageId": f"local-{context['delivery']}" if isinstance(context, dict) else "local"}


def senders(
    region: str,
    endpoint: str | None,
    clock: Clock,
    scope_of: Callable[[str], TenantScope],
    outbox: Store | None = None,
    stage: str = "",
) -> Senders:
    """Every channel's, each behind the fence round test environments. ``stage`` is what e-mails are tagged with. ``outbox`` is of a local
    stage: what is delivered, and what was withheld, can be read there, and webhooks may go to this machine.
    """
    is_local = outbox is not None
    made: dict[Channel, Sender] = {
        "push": _Late(lambda: SnsSender(calling_once("sns", region, endpoint))),
        "email": _Late(lambda: SesSender(calling_once("sesv2", region, endpoint), stage)),
        "sms": SmsSender(_LocalSms()) if is_local else _Late(lambda: SmsSender(calling_once("pinpoint-sms-voice-v2", region, endpoint))),
        "inbox": InboxSender(scope_of),
        "webhook": WebhookSender(clock, local=is_local),
    }

    def allowed(tenant: str) -> frozenset[str]:
        return frozenset(scope_of(tenant).definitions.settings.messaging.test_recipients)

    if outbox is None:
        return {channel: Fence(channel, sender, allowed) for channel, sender in made.items()}
    kept = {channel: Outbox(channel, sender, outbox, clock) for channel, sender in made.items()}
    return {channel: Fence(channel, sender, allowed, sender.withhold) for channel, sender in kept.items()}
