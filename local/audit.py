"""The audit log: does it still say what was sealed?

``verify --tenant T`` reads a tenant's entries, its chain of seals and the heads that are locked in the bucket, computes every hash again,
and names what disagrees:

  entry_changed, entry_removed, entry_added    what is stored is not what was sealed
  seal_changed, leaves_changed, seal_removed,  the chain is not whole
  chain_broken, sealed_twice
  chain_cut                                    the bucket knows later seals than the table has
  seal_forged                                  the bucket knows another seal of that number: the table was written anew
  lock_overwritten, not_locked                 somebody wrote into the bucket, or the sealer does not reach it

``--entry ID`` also shows the proof that one entry is in its seal. ``seal`` seals now instead of within five minutes. Ends with 1 if
anything was found. Without ``--table`` the local stage is read; with it any stage, under the credentials of the environment.
docs/audit.md says how the hashes are made, so that another program can do the same.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3

from infra.subscriptions import SEALING_INPUT
from local import clock, console
from local.env import read_env, running_instance
from local.store import REGION, Store
from shared.audit import merkle
from shared.audit.model import KEPT
from shared.audit.repository import AuditRepository, StoredEntry, StoredSeal
from shared.audit.sealing import SPAN, prefix_of
from shared.audit.seals import Leaf, by_shard
from shared.audit.verifying import Locked, Report, verify
from shared.kernel.errors import InvalidValue
from shared.kernel.ids import ulid_millis
from shared.kernel.instants import DAY, Instant
from shared.storage.keys import OPERATOR
from shared.storage.keys_audit import entry_shard
from shared.storage.table import Table


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stage keeps its audit log."""

    table: Table
    s3: Any
    bucket: str
    now: Instant


def locked_heads(s3: Any, bucket: str, tenant: str) -> dict[int, Locked]:
    """What the bucket has: of each head its oldest version, which nobody could change. A GET a head."""
    versions: dict[str, list[dict[str, Any]]] = {}
    deleted: set[str] = set()
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix_of(tenant)):
        for each in page.get("Versions", ()):
            versions.setdefault(each["Key"], []).append(each)
        deleted.update(each["Key"] for each in page.get("DeleteMarkers", ()))
    found: dict[int, Locked] = {}
    for name, of_name in versions.items():
        # S3 lists the newest version of a name first.
        oldest = of_name[-1]
        body = json.loads(s3.get_object(Bucket=bucket, Key=name, VersionId=oldest["VersionId"])["Body"].read())
        differs = name in deleted or len({each["ETag"] for each in of_name}) > 1
        found[int(body["sequence"])] = Locked(body["hash"], int(body["until"]), differs)
    return found


def check(place: Place, tenant: str) -> tuple[Report, list[StoredSeal]]:
    """Read everything of a tenant and compare it."""
    repository = AuditRepository(tenant, place.table)
    with console.step("read the chain of seals") as notes:
        seals = list(repository.seals())
        notes.append(f"{len(seals)} seals")
    with console.step("read what is locked in the bucket") as notes:
        locked = locked_heads(place.s3, place.bucket, tenant)
        notes.append(f"{len(locked)} heads")
    with console.step("compare every entry with its seal") as notes:
        report = verify(tenant, _entries(repository, seals, place.now), seals, locked, place.now)
        notes.append(f"{report.entries} entries")
    return report, seals


def _entries(repository: AuditRepository, seals: list[StoredSeal], now: Instant) -> Iterator[StoredEntry]:
    """All entries since the oldest that may be there: also days on which nothing was sealed, where somebody may have added one."""
    sealed = [ulid_millis(leaf.id) for stored in seals for leaf in stored.leaves]
    oldest = min([*sealed, now - SPAN])
    yield from repository.entries(max(oldest - DAY, now - KEPT - 3 * DAY), now + DAY)


def proof(seals: list[StoredSeal], id_: str) -> list[str]:
    """The lines that prove one entry's place: its leaf, the hashes beside the way, the root and its seal."""
    try:
        shard = entry_shard(id_)
    except InvalidValue:
        raise console.Failure(f"{id_} is no id of an entry", "GET /v1/audit shows them.") from None
    for stored in seals:
        of_shard = by_shard(stored.leaves).get(shard, [])
        for index, leaf in enumerate(of_shard):
            if leaf.id == id_:
                return _proof_of(stored, of_shard, index)
    raise console.Failure(f"{id_} is in no seal", "It may be newer than five minutes, or not be an entry of this tenant.")


def _proof_of(stored: StoredSeal, of_shard: list[Leaf], index: int) -> list[str]:
    hashes = [each.hash for each in of_shard]
    beside = merkle.path(hashes, index)
    root = merkle.root_by_path(hashes[index], index, len(hashes), beside)
    return [
        f"leaf    {hashes[index].hex()}   number {index} of {len(hashes)}",
        *(f"beside  {each.hex()}" for each in beside),
        f"root    {root.hex()}   of {entry_shard(of_shard[index].id)} in seal {stored.seal.sequence}",
    ]


def add_parser(subparsers: Any) -> None:
    """``python -m local audit``."""
    parser = subparsers.add_parser(
        "audit", help="compare the audit log with its seals", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", choices=("verify", "seal"), help="compare, or seal what is new now")
    parser.add_argument("--tenant", help="whose log; operator: that of the stage itself")
    parser.add_argument("--entry", metavar="ID", help="show the proof that this entry is sealed")
    parser.add_argument("--table", help="name of a stage's main table (output TableName), instead of the local stage")
    parser.add_argument("--bucket", help="name of its bucket of locked heads (output SealsBucket)")
    parser.add_argument("--region", default=REGION, help=f"its region (default: {REGION})")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Seal, or compare and report; 1 if anything was found."""
    if options.work == "seal":
        return _seal()
    if options.tenant is None:
        raise console.Failure("whose audit log?", "Name the tenant: --tenant demo")
    report, seals = check(_place(options), options.tenant)
    has_any = report.entries or report.seals or report.locked or options.tenant == OPERATOR
    if not has_any:
        # Making a tenant leaves an entry already: whoever has none is no tenant.
        raise console.Failure(f"there is no audit log of {options.tenant}", "Is it the tenant's id, and the right stage?")
    for each in report.findings:
        console.say(f"  {each.kind:<16}  {each.what}: {each.why}")
    if options.entry is not None:
        console.say("\n".join(proof(seals, options.entry)))
    beside = f"{report.waiting} not sealed yet, {report.expired} expired"
    if report.findings:
        console.say(f"{len(report.findings)} FOUND in {report.entries} entries and {report.seals} seals ({beside}). See docs/audit.md.")
        return 1
    console.say(f"{report.entries} entries, {report.seals} seals and {report.locked} locked heads agree ({beside}).")
    return 0


def _place(options: argparse.Namespace) -> Place:
    if options.table is not None:
        if options.bucket is None:
            raise console.Failure("--table needs --bucket", "Both are outputs of the stack `state`: TableName and SealsBucket.")
        session: Any = boto3
        s3 = session.client("s3", region_name=options.region)
        return Place(Table(options.table, options.region), s3, options.bucket, int(time.time() * 1000))
    store = Store.of(read_env())


    return Place(store.main, store.client("s3"), store.outputs["SealsBucket"], clock.now(store))


def _seal() -> int:
    running_instance()
    store = Store.of(read_env())
    store.client("sqs").send_message(QueueUrl=store.outputs["AuditQueueUrl"], MessageBody=json.dumps(SEALING_INPUT))
    console.say("Sent. What is older than two minutes is sealed within seconds.")
    return 0
