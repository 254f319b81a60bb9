"""A till's disk, memory and network that fail where a test says, and keep what real ones would."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from local.till.memory import Known
from local.till.network import NoAnswer, Reply


class PowerCut(Exception):
    """The till went out here. No code of ours handles it."""


@dataclass
class Plug:
    """Counts every step of a till (I/O of its disk, send, receive) and pulls the plug at the one named, or now and then by chance."""

    at: int | None = None
    often: float = 0
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    steps: int = 0
    pulled: list[str] = field(default_factory=list)

    def step(self, name: str) -> None:
        """One step is about to be made."""
        self.steps += 1
        if self.steps == self.at or (self.often and self.chance.random() < self.often):
            self.pulled.append(name)
            raise PowerCut(name)


class FakeDisk:
    """A file in memory. After a power cut it holds what was synced, and of the rest as much as chance will have it."""

    def __init__(self, plug: Plug | None = None, chance: random.Random | None = None) -> None:
        self.plug = plug or Plug()
        self.chance = chance or random.Random(0)
        self.safe = b""
        self.loose = b""
        """Written, not synced."""
        self.new = b""
        self.new_is_safe = False
        self.hollow = False
        """A file took this one's place before its bytes were forced."""
        self.renamed_from: bytes | None = None
        """What stood there before a rename whose folder is not synced."""

    def cut(self) -> None:
        """The power goes: each thing that was not forced is there or not."""
        if self.renamed_from is not None and self.chance.random() < 0.5:
            self.safe = self.renamed_from
            self.loose = b""
        elif self.hollow:
            self.safe = self.safe[: self.chance.randint(0, len(self.safe))]
        self.renamed_from, self.hollow = None, False
        self.safe += self.loose[: self.chance.randint(0, len(self.loose))]
        self.loose = b""

    def read(self) -> bytes:
        return self.safe + self.loose

    def truncate(self, length: int) -> None:
        self.plug.step("truncate")
        self.safe, self.loose = self.read()[:length], b""

    def append(self, data: bytes) -> None:
        self.plug.step("write")
        half = self.chance.randint(0, len(data))
        self.loose += data[:half]
        self.plug.step("write on")
        self.loose += data[half:]

    def sync(self) -> None:
        self.plug.step("fsync")
        self.safe, self.loose = self.read(), b""

    def write_new(self, data: bytes) -> None:
        self.plug.step("write new")
        self.new, self.new_is_safe = data, False

    def sync_new(self) -> None:
        self.plug.step("fsync new")
        self.new_is_safe = True

    def rename(self) -> None:
        self.plug.step("rename")
        self.renamed_from = self.read()
        self.safe, self.loose, self.hollow = self.new, b"", not self.new_is_safe

    def sync_folder(self) -> None:
        self.plug.step("fsync folder")
        self.renamed_from = None


class FakeMemory:
    """Keeps what was saved."""

    def __init__(self, known: Known | None = None) -> None:
        self.known = known or Known()

    def load(self) -> Known:
        return replace(self.known)

    def save(self, known: Known) -> None:
        self.known = replace(known)


Fate = Literal["ok", "drop", "late", "lost", "busy", "broken", "broken after", "twice"]
FATES: tuple[Fate, ...] = ("ok", "ok", "ok", "drop", "late", "lost", "busy", "broken", "broken after", "twice")
Server = Callable[[str, str, Any], Reply]


class FakeNetwork:
    """Between a till and a server: loses requests and answers, delays and repeats them, or breaks on the way."""

    def __init__(self, server: Server, plug: Plug | None = None, chance: random.Random | None = None) -> None:
        self.server = server
        self.plug = plug or Plug()
        self.chance = chance or random.Random(0)
        self.fates: tuple[Fate, ...] = ("ok",)
        self.cut = False
        """No network at all."""
        self.delayed: list[tuple[str, str, Any]] = []
        self.sent: list[tuple[str, str]] = []
        """What the server got, in its order: path and body."""

    def call(self, method: str, path: str, body: Any, timeout_ms: int) -> Reply:
        """One try."""
        assert timeout_ms <= 5000
        self.plug.step("send")
        if self.cut:
            raise NoAnswer("cut off")
        if self.delayed and self.chance.random() < 0.3:
            self.deliver(*self.delayed.pop(self.chance.randrange(len(self.delayed))))
        fate = self.chance.choice(self.fates)
        if fate in ("busy", "broken"):
            return Reply(429, {"code": "too_many_requests"}, {"retry-after": "1"}) if fate == "busy" else Reply(500, {})
        if fate == "late":
            self.delayed.append((method, path, body))
        if fate in ("drop", "late"):
            raise NoAnswer(fate)
        reply = self.deliver(method, path, body)
        if fate == "twice":
            reply = self.deliver(method, path, body)
        self.plug.step("receive")
        if fate == "lost":
            raise NoAnswer(fate)
        return Reply(502, {}, {}) if fate == "broken after" else reply

    def deliver(self, method: str, path: str, body: Any) -> Reply:
        """It arrives."""
        self.sent.append((path, json.dumps(body, sort_keys=True)))
        return self.server(method, path, body)

    def arrive(self) -> None:
        """Everything that was delayed arrives now, in any order."""
        self.chance.shuffle(self.delayed)
        while self.delayed:
            self.deliver(*self.delayed.pop())
