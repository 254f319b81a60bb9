"""A tenant's test environment: made, with keys of its own, and filled with what the tenant has defined, over the public API.

Groups, locations, items and definitions are taken over, in the order in which they refer to each other; nobody's data is. What is there
already is left alone, keys by their labels, so that a run that broke off is simply repeated: a key is printed once, by the run that makes
it. The operator's key is taken from REGULARS_OPERATOR_KEY, the tenant's from REGULARS_KEY; of the local instance both are known.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from local import console, definitions
from local.client import Client
from local.env import read_env, write_env
from local.setting import KEYS
from local.tenants import operator_of
from shared.definitions.api import MAX_ITEMS, MAX_LOCATIONS

_OWN: Final = {"scopes": ["definitions:read", "definitions:write"], "label": "python -m local testing"}
"""What a run takes things over with: a key of its own, because those of before were shown once."""


def ensure(operator: Client, tenant: str) -> str:
    """The id of the tenant's test environment, which is made if there is none."""
    return str(operator.post(f"/v1/tenants/{tenant}/test")["id"])


def new_keys(operator: Client, tenant: str) -> dict[str, str]:
    """Keys by who holds them, as the demo's tenant has them. Who has an active one already gets none."""
    path = f"/v1/tenants/{tenant}/keys"
    there = {each.get("label") for each in operator.all(path) if each["status"] == "active"}
    return {
        holder: operator.post(path, {"scopes": scopes, "label": holder})["key"] for holder, scopes in KEYS.items() if holder not in there
    }


@contextmanager
def passing_key(operator: Client, tenant: str) -> Iterator[Client]:
    """A caller of the tenant whose key is revoked at the end."""
    made = operator.post(f"/v1/tenants/{tenant}/keys", _OWN)
    try:
        yield operator.as_(made["key"])
    finally:
        operator.call("DELETE", f"/v1/tenants/{tenant}/keys/{made['key_id']}")


def fill(live: Client, test: Client) -> Iterator[str]:
    """Take over what the tenant has defined. What was done, as lines for a person."""
    groups = live.get("/v1/location-groups")
    if groups.get("groups"):
        test.put("/v1/location-groups", groups)
        yield f"{len(groups['groups'])} groups of locations"
    places = [{name: value for name, value in each.items() if name != "open_now"} for each in live.all("/v1/locations")]
    for part in _parts(places, MAX_LOCATIONS):
        test.put("/v1/locations", {"locations": part})
    items = live.all("/v1/catalogue/items")
    for part in _parts(items, MAX_ITEMS):
        test.put("/v1/catalogue/items", {"items": part})
    yield f"{len(places)} locations, {len(items)} items"
    with tempfile.TemporaryDirectory() as folder:
        definitions.export(live, Path(folder))
        done, _ = definitions.apply(test, Path(folder), publish=True)
    yield from done


def add_parser(subparsers: Any) -> None:
    """``python -m local testing``."""
    parser = subparsers.add_parser("testing", help="a tenant's test environment, with what it has defined", description=__doc__)
    parser.add_argument("tenant", help="the live tenant's id")
    parser.add_argument("--url", help="address of the API; the local instance's unless given")
    parser.add_argument("--bare", action="store_true", help="take nothing over but the settings")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make it, or find it made; print the keys that were made, which are shown once, and then take over what is missing."""
    operator, facts = operator_of(options.url), read_env()
    live = None if options.bare else definitions.client_of(options.tenant, options.url)
    made = ensure(operator, options.tenant)
    known: dict[str, Any] = facts.get("tenants", {}) if options.url is None else {}
    keys = known.get(made) or new_keys(operator, made)
    if options.url is None:
        write_env(tenants={**known, made: keys})
    console.say(f"The test environment of {options.tenant} is {made}.")
    if keys:
        console.table(("holder", "key"), sorted(keys.items()))
    of_before = ", ".join(sorted(KEYS.keys() - keys.keys()))
    if of_before:
        console.say(f"There are keys already for: {of_before}. If one is lost, revoke it and run this again.")
    if live is not None:
        with passing_key(operator, made) as test:
            for line in fill(live, test):
                console.say(line)
    return 0


def _parts(entries: list[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(entries), size):
        yield entries[start : start + size]
