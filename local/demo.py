"""Deploy the whole system to a local AWS and play the story of a guest on real input, from registration to report.

The first run installs, deploys and loads; the next ones take seconds: what is loaded stays. ``--all`` loads every outlet,
``--fresh`` begins again from nothing. The system keeps running afterwards: its address and keys are in `python -m local env`.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import console, load, tools
from local.client import Client
from local.env import DEMO, read_env, write_env
from local.issuer import Issuer
from local.mapping import Mapping
from local.setting import define_offers, define_programme, define_segments, ensure_push, ensure_tenant, publish, wait_until_in_force
from local.shop import Shop
from local.store import Store
from local.story import Teller, play
from local.up import bring_up

_REAL = tools.ROOT.parent / "shared" / "data" / "coffeeshop_week1"
_SAMPLE = tools.ROOT / "events" / "samples" / "coffee_day"
_WELCOME = {
    "name": "Welcome",
    "trigger": {"kind": "event", "types": ["member.registered"]},
    "steps": [
        {
            "id": "gift",
            "offer": "welcome",
            "content": {"en": {"title": "Welcome, {{ member.first_name }}", "body": "{{ coupon.title }}, until {{ coupon.expires_on }}."}},
        }
    ],
}


def add_parser(subparsers: Any) -> None:
    """``python -m local demo``."""
    parser = subparsers.add_parser("demo", help="deploy locally and play the story on real input", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", type=Path, help="folder of a shop's files (default: the coffee shop's week, else our sample day)")
    parser.add_argument("--mapping", help="mapping file of that folder")
    parser.add_argument("--all", action="store_true", help="load every outlet, not just the story's")
    parser.add_argument("--fresh", action="store_true", help="begin again from nothing")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Bring up, load, play."""
    started = time.monotonic()
    console.title("Regulars: the story on this machine")
    _, facts = bring_up(fresh=options.fresh)
    folder = options.data or (_REAL if _REAL.exists() else _SAMPLE)
    tell(Store.of(facts), facts, DEMO, folder, options.mapping, every_outlet=options.all)
    console.say(f"\nAll six steps hold; every number was read again. {time.monotonic() - started:.0f} s in all.")
    console.say("It keeps running: `python -m local env` shows address and keys, `make down` stops it.")
    return 0


def tell(
    store: Store, facts: dict[str, Any], home: Path, folder: Path, mapping_file: str | None = None, *, every_outlet: bool = False
) -> Teller:
    """Prepare the tenant, load the shop and play the story; what was done before is noted in ``home`` and not repeated."""
    mapping = Mapping.for_folder(folder, mapping_file)
    if mapping.story is None:
        raise console.Failure(f"the mapping of {folder} has no [story]", "Add one, or load it with: python -m local load DIR")
    shop = Shop(folder, mapping, load.today(store, mapping.shop.time_zone))
    keys = ensure_tenant(facts, mapping, home)
    clients = {holder: Client(facts["api_url"], key) for holder, key in keys.items()}
    if not read_env(home).get("loaded"):
        load.before_the_first(store, shop.receipts())
    items = {each["id"]: each for each in shop.items()}
    new_items = list(mapping.story.new_items) or [each["id"] for each in items.values() if each["is_new"]]
    _define(Stage(store, facts, home, mapping, clients), items, new_items, shop)
    _load(Stage(store, facts, home, mapping, clients), shop, every_outlet=every_outlet)
    runs = int(read_env(home).get("runs", 0)) + 1
    write_env(home, runs=runs)
    teller = Teller(
        store=store,
        tenant=mapping.shop.tenant,
        currency=mapping.shop.currency,
        zone=mapping.shop.time_zone,
        source=mapping.shop.source,
        story=mapping.story,
        items=items,
        new_items=new_items,
        issuer=Issuer.at(home),
        app=clients["app"],
        till=clients["till"],
        marketer=clients["marketer"],
        run=str(runs),
    )
    play(teller)
    return teller


@dataclass(frozen=True, slots=True)
class Stage:
    """Where it is prepared: a deployment, its notes, and the tenant's clients."""

    store: Store
    facts: dict[str, Any]
    home: Path
    mapping: Mapping
    clients: dict[str, Client]


def _define(stage: Stage, items: dict[str, dict[str, Any]], new_items: list[str], shop: Shop) -> None:
    """What a marketer sets up once: programme, offers, segments, the welcome campaign."""
    mapping, clients = stage.mapping, stage.clients
    assert mapping.story is not None
    with console.step("tenant, catalogue, programme, offers, segments, campaign") as notes:
        ensure_push(stage.facts, mapping, stage.home)
        load.define(clients["data_team"], shop)
        define_programme(clients["marketer"])
        define_offers(clients["marketer"], mapping.story, {id_: each["name"] for id_, each in items.items()}, new_items)
        define_segments(clients["marketer"], mapping.story)
        published = publish(clients["marketer"], "campaigns", "welcome", _WELCOME)
        wait_until_in_force(stage.store, [published])
        if not read_env(stage.home).get("welcome_launched"):
            clients["marketer"].post("/v1/campaigns/welcome/launch")
            write_env(stage.home, welcome_launched=True)
        notes.append(f"tenant {mapping.shop.tenant}, {len(items)} items")


def _load(stage: Stage, shop: Shop, *, every_outlet: bool) -> None:
    """Members and receipts, once."""
    mapping, clients = stage.mapping, stage.clients
    assert mapping.story is not None
    wanted = "all" if every_outlet else mapping.story.outlet
    if read_env(stage.home).get("loaded") in (wanted, "all"):
        return
    receipts = shop.receipts(None if every_outlet else mapping.story.outlet)
    load.end_the_day(stage.store, receipts)
    with console.step("members through the bulk route", spinner=False) as notes:
        notes.append(load.load_members(clients["data_team"], shop.members()).text())
    last = shop.days()[-1].isoformat()
    for name, mode in (("history", "historical"), ("the last day, live", "live")):
        bodies = [each for each in receipts if (each["business_date"] == last) == (mode == "live")]
        with console.step(f"receipts through the bulk route: {name}", spinner=False) as notes:
            notes.append(load.load_receipts(clients["data_team"], bodies, mode).text())
    write_env(stage.home, loaded=wanted)
