"""A push provider in memory: ``PushSender`` of shared.messaging.push."""

from __future__ import annotations

from collections.abc import Callable

from shared.messaging.push import Message, PushResult, Sent


class FakeSender:
    """What was taken, in order. ``answers``: endpoint -> what it gives instead; ``before``: called first, and may raise."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Message]] = []
        self.answers: dict[str, PushResult] = {}
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    def send(self, endpoint: str, message: Message) -> PushResult:
        self.before()
        answer = self.answers.get(endpoint)
        if answer is None:
            self.taken.append((endpoint, message))
            answer = Sent(f"msg-{len(self.taken)}")
        self.after()
        return answer

    @property
    def members(self) -> list[str]:
        """Whom the messages that were taken went to."""
        return [message.origin["member"] for _, message in self.taken]
