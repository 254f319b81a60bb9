"""A push service in memory: ``PushRegistry`` of shared.members.devices."""

from __future__ import annotations

from shared.members.errors import InvalidDeviceToken


class FakePush:
    """Endpoints by token. ``broken`` is raised instead of the next answer."""

    def __init__(self) -> None:
        self.endpoints: dict[str, str] = {}
        self.removed: list[str] = []
        self.broken: Exception | None = None

    def ensure_endpoint(self, application: str, token: str, endpoint: str | None = None) -> str:
        if self.broken is not None:
            raise self.broken
        if token == "not-a-token":
            raise InvalidDeviceToken
        arn = endpoint or f"{application.replace(':app/', ':endpoint/')}/{len(self.endpoints) + 1}"
        return self.endpoints.setdefault(token, arn)

    def remove(self, endpoint: str) -> None:
        if self.broken is not None:
            raise self.broken
        self.removed.append(endpoint)
