"""The work of making a pool: one part a message, each the same codes however often it is worked on; and the files of its codes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, Protocol

from shared.coupons.code_store import AT_ONCE, store_codes
from shared.coupons.pools import Pool, load, parts_made
from shared.coupons.pools_api import PoolFile, PoolFilesAnswer
from shared.coupons.repository import POOL
from shared.jobs import service as jobs
from shared.kernel.errors import Unavailable
from shared.kernel.instants import SECOND, format_rfc3339
from shared.tenants.scope import TenantScope

LINK_SECONDS: Final = 600


class ReserveUsedUp(Unavailable):
    """More codes of a part are somebody else's than chance explains: a person must look."""

    code, title = "pool_reserve_used_up", "Pool reserve used up"


class CodeFiles(Protocol):
    """Where the printable codes lie, encrypted (S3; a dictionary in tests)."""

    def put(self, name: str, body: bytes) -> None:
        """Store."""

    def link(self, name: str, seconds: int) -> str:
        """An address that answers the object for so long, to whoever has it."""


def make_part(scope: TenantScope, message: dict[str, Any], files: CodeFiles) -> None:
    """Store the codes of one part and write its file. 2 write units a code; memory of one part, whatever the pool's size.

    A part of a pool that was voided meanwhile is not made.
    """
    pool = load(scope, None, POOL + message["job"].removeprefix("job"))
    outcome = jobs.Outcome()
    if pool.status == "active":
        codes = _store(scope, pool, message["part"], outcome)
        files.put(file_name(scope.tenant, pool, message["part"]), ("\r\n".join(["code", *codes]) + "\r\n").encode())
    jobs.finish(scope, message, outcome)


def file_name(tenant: str, pool: Pool, part: int) -> str:
    """Where a part's codes lie."""
    return f"{jobs.PREFIX}{tenant}/{pool.id}/{part:04d}.csv"


def list_files(scope: TenantScope, offer_id: str, pool_id: str, files: CodeFiles) -> PoolFilesAnswer:
    """A link to each part that is made, good for ten minutes. One read and one Query."""
    pool = load(scope, offer_id, pool_id)
    until = format_rfc3339(scope.clock() + LINK_SECONDS * SECOND)
    found = [
        PoolFile(part=part, codes=codes, url=files.link(file_name(scope.tenant, pool, part), LINK_SECONDS), url_expires_at=until)
        for part, codes in sorted(parts_made(scope, pool).items())
        if codes
    ]
    return PoolFilesAnswer(pool_id=pool.id, files=tuple(found))


def _store(scope: TenantScope, pool: Pool, part: int, outcome: jobs.Outcome) -> list[str]:
    """The part's codes in order, stored. What is somebody else's is replaced from the reserve: the same way every time."""
    secret = hashlib.sha256(scope.blind("code-pool", pool.id).encode()).digest()
    waiting, reserve = pool.space.codes(secret, *pool.span(part)), pool.space.codes(secret, *pool.reserve(part))
    codes: list[str] = []
    while chunk := list(islice(waiting, AT_ONCE)):
        fates = store_codes(scope, pool.template, chunk)
        for code, fate in zip(chunk, fates, strict=True):
            codes.append(code if fate != "taken" else _from_reserve(scope, pool, reserve, outcome))
            outcome.accepted += fate == "stored"
            outcome.replayed += fate == "again"
    return codes


def _from_reserve(scope: TenantScope, pool: Pool, reserve: Iterator[str], outcome: jobs.Outcome) -> str:
    for code in reserve:
        fate = store_codes(scope, pool.template, [code])[0]
        outcome.accepted += fate == "stored"
        outcome.replayed += fate == "again"
        if fate != "taken":
            return code
    raise ReserveUsedUp
