"""Bodies of the routes about pools of codes and imported codes."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StrictInt, StringConstraints, model_validator

from shared.coupons.api import Ref
from shared.coupons.code_space import ALPHABET, CodeSpace
from shared.tenants.model import Frozen

MAX_POOL: Final = 1_000_000


class PoolRequest(Frozen):
    """How many codes, and how they look: ``SUMMER-####-####``. ``#`` is a random character; with ``check`` the last of them is the check
    character (ISO/IEC 7064, MOD M+1,M). ``request_id`` (or an Idempotency-Key) makes it safe to repeat.
    """

    count: Annotated[StrictInt, Field(ge=1, le=MAX_POOL)]
    prefix: Annotated[str, StringConstraints(max_length=32)] = ""
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    alphabet: Annotated[str, StringConstraints(min_length=1, max_length=36)] = ALPHABET
    check: bool = True
    request_id: Ref | None = None

    @model_validator(mode="after")
    def _makes_codes(self) -> PoolRequest:
        _ = self.space
        return self

    @property
    def space(self) -> CodeSpace:
        """What the codes can be."""
        return CodeSpace(self.prefix + self.pattern, self.alphabet, self.check)


class PoolAnswer(Frozen):
    """A pool as it is now. ``space`` and ``one_guess_in`` are decimal numbers that may be longer than a JSON number keeps."""

    pool_id: str
    job_id: str
    offer_id: str
    offer_version: int
    status: Literal["making", "ready", "void"]
    count: int
    made: int = Field(description="codes stored so far")
    pattern: str
    space: str = Field(description="how many different codes the pattern can say")
    one_guess_in: str = Field(description="one guess in so many hits a code of this pool")
    shortest_pattern: str = Field(description="the shortest pattern like this one that would do")
    active_from: str
    expires_at: str


class PoolFile(Frozen):
    """One part of a pool as CSV, a code a line. The link is a secret: whoever has it has the codes."""

    part: int
    codes: int
    url: str
    url_expires_at: str


class PoolFilesAnswer(Frozen):
    """The parts that are made. Objects are deleted a week after they were written."""

    pool_id: str
    files: tuple[PoolFile, ...]


PrintedCode = Annotated[str, StringConstraints(min_length=4, max_length=64, pattern=r"^[!-~]+$")]


class CodesRequest(Frozen):
    """Codes that were printed elsewhere, as they are printed; upper and lower case are the same. ``request_id`` as for a pool."""

    codes: Annotated[tuple[PrintedCode, ...], Field(min_length=1, max_length=500)]
    request_id: Ref | None = None


class RefusedCode(Frozen):
    """A code that was not taken, by its place in the call. The code itself is not repeated."""

    index: int
    code: Literal["duplicate_code", "code_taken"]
    detail: str


class CodesAnswer(Frozen):
    """``accepted`` + ``replayed`` + refused = codes sent."""

    accepted: int
    replayed: int
    refused: tuple[RefusedCode, ...]
