"""Snapshots of profiles: ``show`` what they are made of, ``check`` them against the table, ``rebuild`` them from it."""

from __future__ import annotations

import argparse
import itertools
import json
import time
from typing import Any

from local import clock, console
from local.env import read_env, running_instance
from local.store import Store
from shared.aws.objects import S3Store
from shared.definitions.cache import DefinitionCache
from shared.kernel.ids import ulid_millis
from shared.kernel.instants import format_rfc3339
from shared.snapshots.checking import differences
from shared.snapshots.repository import SnapshotRepository
from shared.storage import keys
from shared.storage.commit import Effort
from shared.storage.items import TenantEntryItem
from shared.tenants.scope import TenantScope

_SHOWN = 20


def scope_of(store: Store, tenant: str) -> TenantScope:
    """A tenant's part of the local stage, without her keys: nothing personal is in a snapshot."""
    cache = DefinitionCache(1.0, time.monotonic)
    return TenantScope(tenant, store.main, store.keys, lambda: clock.now(store), cache, lambda _tenant, wrapped: wrapped, Effort)


def tenants(store: Store) -> list[str]:
    """Every tenant."""
    return sorted(TenantEntryItem.read(raw).tenant for raw in store.main.query_all(keys.tenants(), begins="TENANT#"))


def show(store: Store, tenant: str) -> int:
    """The manifest."""
    manifest = SnapshotRepository(scope_of(store, tenant)).manifest()
    if manifest is None:
        console.say(f"{tenant}: no snapshot yet; the first change of a member makes one, or python -m local snapshots rebuild")
        return 1
    since = format_rfc3339(ulid_millis(manifest.watermark))
    console.say(f"{tenant}: generation {manifest.generation}, as of {format_rfc3339(manifest.as_of)}")
    console.say(f"what is marked since {since} is read from the table")
    rows = [(shard.first or "(first)", str(shard.rows), str(shard.young_rows), shard.base) for shard in manifest.shards]
    console.table(("from", "members", "changed", "object"), rows)
    return 0


def check(store: Store, tenant: str) -> int:
    """What differs from the table."""
    files = S3Store(store.client("s3"), store.outputs["DataBucket"])
    found = list(itertools.islice(differences(scope_of(store, tenant), files, int(time.time() * 1000)), _SHOWN + 1))
    console.say(f"{tenant}: {'agrees with the table' if not found else 'DIFFERS from the table'}")
    for line in found[:_SHOWN]:
        console.say(f"  {line}")
    return 1 if found else 0


def rebuild(store: Store, tenant: str) -> int:
    """Ask for it, as the function itself does."""
    body = json.dumps({"kind": "rebuild", "tenant": tenant})
    store.client("sqs").send_message(QueueUrl=store.outputs["SnapshotsQueueUrl"], MessageBody=body)
    console.say(f"{tenant}: asked for; it is there within seconds")
    return 0


_ACTIONS = {"show": show, "check": check, "rebuild": rebuild}


def add_parser(subparsers: Any) -> None:
    """``python -m local snapshots``."""
    parser = subparsers.add_parser("snapshots", help="show, check or rebuild the snapshots of profiles", description=__doc__)
    parser.add_argument("action", choices=tuple(_ACTIONS))
    parser.add_argument("tenant", nargs="?", help="one tenant; all of them if none is named")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do it for each; 1 if one has no snapshot, or one that differs."""
    running_instance()
    store = Store.of(read_env())
    return max((_ACTIONS[options.action](store, tenant) for tenant in ([options.tenant] if options.tenant else tenants(store))), default=0)
