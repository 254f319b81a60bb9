"""An erasure: how far it is, and in the end its certificate. Ids, names of ours, counts and instants only: nothing of the person. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from shared.kernel.instants import Instant

Step = Literal["surveyed", "objections", "apple", "devices", "identifiers", "coupons", "records", "key", "recipients", "verified"]
STEPS: Final[tuple[Step, ...]] = (
    "surveyed", "objections", "apple", "devices", "identifiers", "coupons", "records", "key", "recipients", "verified",
)  # fmt: skip
"""In this order. Her key is the last to go: until then what it seals could still be read by a step that has to. Others are told then."""
Status = Literal["accepted", "completed"]


@dataclass(frozen=True, slots=True)
class Traces:
    """What leads to her, known until all of it is gone: keyed hashes and ids."""

    version: int = 0
    """Of her state when she was forgotten: messages about her from before are older."""
    coupons: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    """``segment@version`` of those that she was in."""
    identifiers: tuple[tuple[str, str], ...] = ()
    """Kind and blind index; found by the survey."""
    former: tuple[str, ...] = ()
    """Members who turned out to be her (``shared.merging``): what is left of them goes, too."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """One erasure. ``asked_by`` is ``member`` or the id of the key that asked for her."""

    id: str
    member: str
    asked_by: str
    accepted_at: Instant
    correlation: str = ""
    status: Status = "accepted"
    done: Mapping[Step, Instant] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    """What there was of her, by kind, when the work began."""
    traces: Traces = Traces()
    told: Mapping[str, bool] = field(default_factory=dict)
    """``endpoint/number of the id`` of the webhooks that were told; ``False``: it will not hear of it."""
    silent: tuple[str, ...] = ()
    """Endpoints that did not answer in this round."""
    rounds: int = 0
    """Rounds that some of them were waited for after."""
    revision: int = 1

    @property
    def next_step(self) -> Step | None:
        """The first step that is not done; ``None`` when it is completed."""
        return None if self.status == "completed" else next((step for step in STEPS if step not in self.done), None)

    @property
    def persons(self) -> tuple[Erasure, ...]:
        """The same about each id that was hers: the present one, and those of before."""
        return (self, *(replace(self, member=member) for member in self.traces.former))

    def after(self, step: Step, at: Instant) -> Erasure:
        """With one step more. After the last nothing leads to her any more."""
        done = {**self.done, step: at}
        last = step == STEPS[-1]
        return replace(
            self, done=done, status="completed" if last else self.status, traces=Traces() if last else self.traces,
            revision=self.revision + 1,
        )  # fmt: skip

    def once_more(self) -> Erasure:
        """As it is, as its next revision."""
        return replace(self, revision=self.revision + 1)

    def surveyed(self, counts: Mapping[str, int], identifiers: tuple[tuple[str, str], ...]) -> Erasure:
        """With what the survey found."""
        return replace(self, counts=dict(counts), traces=replace(self.traces, identifiers=identifiers))
