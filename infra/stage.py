"""A stage: one deployment of everything. What differs between stages is decided here and nowhere else."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass, field
from typing import Final

_NAME: Final = re.compile(r"[a-z][a-z0-9]{1,11}")
LOCAL: Final = "local"
RUNTIME_VERSION: Final = (3, 13)
"""Python of the deployed functions. The local AWS runs them on its own interpreter, whatever the template says."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Settings of a deployment. ``local`` runs on the developer's machine and keeps nothing that matters."""

    name: str
    definition_cache_seconds: int = 60
    log_level: str = "INFO"
    log_days: int = 30
    authorizer_cache_seconds: int = 60
    requests_per_second: int = 500
    burst: int = 1000
    cors_origins: tuple[str, ...] = ()
    """Web pages that may call the interface directly. None unless named: a till and an app need no CORS."""
    alarm_topic_arn: str | None = None
    """Where alarms go; without it they only show."""
    function_extras: dict[str, str] = field(default_factory=dict)
    """Environment that every function gets beside its own: only the local stage has any."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"stage {self.name!r}: 2 to 12 lower-case letters and digits, a letter first")

    @property
    def local(self) -> bool:
        """Whether it is the developer's machine."""
        return self.name == LOCAL

    @property
    def architecture(self) -> str:
        """arm64, except on a developer's machine: there the processor is what it is."""
        if not self.local:
            return "arm64"
        return "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"

    def named(self, what: str) -> str:
        """The name of a resource that people and scripts look for."""
        return f"regulars-{self.name}-{what}"


def stage_named(name: str, *, cors_origins: tuple[str, ...] = (), alarm_topic_arn: str | None = None) -> Stage:
    """The stage of that name: ``local``, or any other with the settings of production."""
    if name == LOCAL:
        return Stage(LOCAL, definition_cache_seconds=1, function_extras={"LOCAL_CLOCK": "1"})
    return Stage(name, cors_origins=cors_origins, alarm_topic_arn=alarm_topic_arn)
