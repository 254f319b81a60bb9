"""Providers in memory: ``Sender`` of shared.messaging.port, one or all of the channels."""

from __future__ import annotations

from collections.abc import Callable

from shared.messaging.port import Message, Result, Senders, Sent
from shared.tenants.messaging import CHANNELS


class FakeSender:
    """What was taken, in order. ``answers``: address -> what it gives instead; ``before`` and ``after`` may raise."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Message]] = []
        self.answers: dict[str, Result] = {}
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    def send(self, address: str, message: Message) -> Result:
        self.before()
        answer = self.answers.get(address)
        if answer is None:
            self.taken.append((address, message))
            answer = Sent(f"msg-{len(self.taken)}")
        self.after()
        return answer

    @property
    def members(self) -> list[str]:
        """Whom the messages that were taken went to."""
        return [message.origin["member"] for _, message in self.taken]


def fake_senders() -> dict[str, FakeSender]:
    """One for each channel."""
    return {channel: FakeSender() for channel in CHANNELS}


def only(sender: FakeSender) -> Senders:
    """The same one for every channel, so that the order over all channels can be seen."""
    return dict.fromkeys(CHANNELS, sender)
