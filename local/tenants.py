"""The operator's work with tenants, over the public API: create, configure, suspend, export, remove.

The operator's key is taken from REGULARS_OPERATOR_KEY, a tenant's own (for its export) from REGULARS_KEY; of the local instance both are
known. A tenant is a file of JSON, {"id": ..., "settings": {...}}: ``show --to`` writes it, ``configure`` says what differs and stores it.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from local import console, definitions
from local.client import Client, Refused
from local.env import read_env

OPERATOR_VARIABLE: Final = "REGULARS_OPERATOR_KEY"
COLUMNS: Final = (
    "member_id", "joined_at", "status", "tier", "join_source", "join_location", "tags", "consents", "purchases", "value",
    "first_purchase_at", "last_purchase_at",
)  # fmt: skip
PERSONAL_COLUMNS: Final = (
    "first_name", "last_name", "phone", "email", "street", "postal_code", "city", "country", "birth_date", "gender", "language",
)  # fmt: skip
EVERYBODY: Final = {"kind": "joined", "op": "less_than", "hours": 876_000}
_POLL_SECONDS: Final = 2.0
_PATIENCE_SECONDS: Final = 1800.0
_EXAMPLES: Final = """\
examples:
  python -m local tenants list
  python -m local tenants create corner.json
  python -m local tenants show corner --to corner.json
  python -m local tenants configure corner corner.json --dry-run
  python -m local tenants key corner --label till --scopes members:identify,transactions:write
  python -m local tenants suspend corner
  python -m local tenants export corner backup/ --members
  python -m local tenants remove corner --confirm corner
"""


def text_of(tenant: dict[str, Any]) -> str:
    """A tenant as its file has it, always in the same form."""
    return json.dumps({"id": tenant["id"], "settings": tenant["settings"]}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def create(operator: Client, body: dict[str, Any]) -> str:
    """Make the tenant that the file describes; its id."""
    return str(operator.post("/v1/tenants", body)["id"])


def configure(operator: Client, tenant: str, body: dict[str, Any], *, dry_run: bool) -> str:
    """What differs between the stage's settings and the file's, as a diff; empty: nothing. Stored unless it is a dry run: also what is the
    same, since a call that broke off may have stored the settings and not yet what follows from them.
    """
    stored = operator.get(f"/v1/tenants/{tenant}")
    if body.get("id", tenant) != tenant:
        raise console.Failure(f"the file is about {body['id']}, not {tenant}")
    wanted = {"id": tenant, "settings": body.get("settings", {})}
    before, after = (text_of(each).splitlines(keepends=True) for each in (stored, wanted))
    diff = "".join(difflib.unified_diff(before, after, "stage", "file"))
    if not dry_run:
        operator.put(f"/v1/tenants/{tenant}", wanted, f'"{stored["etag"]}"')
    return diff


def set_status(operator: Client, tenant: str, status: str) -> None:
    """Suspend or resume. Sent also where the settings say so already: a call that broke off may not have got further than them."""
    stored = operator.get(f"/v1/tenants/{tenant}")
    operator.put(f"/v1/tenants/{tenant}", {"settings": {**stored["settings"], "status": status}}, f'"{stored["etag"]}"')


def export(operator: Client, own: Client, tenant: str, folder: Path) -> dict[str, int]:
    """What the tenant has set up, as files: settings, groups, locations, catalogue, definitions. How many there are of each."""
    folder.mkdir(parents=True, exist_ok=True)
    lists = {
        "location_groups": own.get("/v1/location-groups")["groups"],
        "locations": own.all("/v1/locations"),
        "items": own.all("/v1/catalogue/items"),
    }
    for name, entries in lists.items():
        (folder / f"{name}.json").write_text(json.dumps(entries, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "tenant.json").write_text(text_of(operator.get(f"/v1/tenants/{tenant}")), encoding="utf-8")
    counts = {name: len(entries) for name, entries in lists.items()}
    return {**counts, "definitions": definitions.export(own, folder / "definitions")}


def export_members(own: Client, file: Path, *, personal: bool, fetch: Callable[[str], bytes], pause: Callable[[float], None]) -> int:
    """A file of all members that are not erased, as JSON lines. How many. ``Failure`` if it cannot be made."""
    programmes = (each["definition"] for (kind, _), each in definitions.of_tenant(own).items() if kind == "programmes")
    wallets = sorted({each.get("wallet", "points") for each in programmes})
    asked = _ask_for(own, [*COLUMNS, *(f"balance:{wallet}" for wallet in wallets), *(PERSONAL_COLUMNS if personal else ())])
    waited = 0.0
    while asked["status"] in ("queued", "running"):
        if waited >= _PATIENCE_SECONDS:
            raise console.Failure("the export takes too long", f"GET /v1/exports/{asked['export_id']} tells how far it is.")
        pause(_POLL_SECONDS)
        waited += _POLL_SECONDS
        asked = own.get(f"/v1/exports/{asked['export_id']}")
    if asked["status"] != "done":
        raise console.Failure(f"the export failed: {asked.get('reason')}", "Run it again.")
    # Whoever may read the folder is not to read whom it is about.
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_bytes(fetch(asked["link"]))
    return int(asked["rows"])


def _ask_for(own: Client, columns: list[str]) -> Any:
    """Order the file; without balances of programmes that are not in force, which have none."""
    body = {"rule": EVERYBODY, "format": "jsonl"}
    try:
        return own.post("/v1/members/export", body | {"columns": columns})
    except Refused as refused:
        unknown = {each["pointer"] for each in refused.problem.get("errors", ()) if each["code"] == "unknown_column"}
        known = [name for place, name in enumerate(columns) if f"/columns/{place}" not in unknown]
        if not unknown or any(not name.startswith("balance:") for name in set(columns) - set(known)):
            raise
        return own.post("/v1/members/export", body | {"columns": known})


def remove(operator: Client, tenant: str, pause: Callable[[float], None]) -> dict[str, Any]:
    """Order the removal and wait for its certificate; one that is under way goes on. The tenant has to be suspended."""
    try:
        asked = operator.call("DELETE", f"/v1/tenants/{tenant}", {"id": tenant}).body
    except Refused as refused:
        if refused.problem.get("code") == "tenant_active":
            raise console.Failure(f"{tenant} is not suspended", f"Run `python -m local tenants suspend {tenant}` first.") from None
        raise
    waited = 0.0
    while asked["state"] != "removed":
        if waited >= _PATIENCE_SECONDS:
            raise console.Failure("the removal takes too long", "It goes on by itself; run the same command to see how far it is.")
        pause(_POLL_SECONDS)
        waited += _POLL_SECONDS
        asked = operator.get(f"/v1/tenants/{tenant}/removal")
    return dict(asked)


def add_parser(subparsers: Any) -> None:
    """``python -m local tenants``."""
    parser = subparsers.add_parser(
        "tenants", help="the operator's work with tenants: create, configure, suspend, export, remove", description=__doc__,
        epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--url", help="address of the API; the local instance's unless given")
    named = argparse.ArgumentParser(add_help=False, parents=[shared])
    named.add_argument("tenant", help="its id")
    what = parser.add_subparsers(dest="what", required=True, metavar="what")
    what.add_parser("list", help="all of them", parents=[shared]).set_defaults(run=_list)
    show = what.add_parser("show", help="its settings, as a file has them", parents=[named])
    show.add_argument("--to", type=Path, metavar="FILE", help="write them there")
    show.set_defaults(run=_show)
    making = what.add_parser("create", help="make one from its file", parents=[shared])
    making.add_argument("file", type=Path, metavar="FILE")
    making.set_defaults(run=_create)
    changing = what.add_parser("configure", help="make its settings those of the file; says what changes", parents=[named])
    changing.add_argument("file", type=Path, metavar="FILE")
    changing.add_argument("--dry-run", action="store_true", help="say it alone; ends with 1 where something differs")
    changing.set_defaults(run=_configure)
    for name, text in (("suspend", "refuse all its credentials, send nothing, keep everything"), ("resume", "the way back")):
        what.add_parser(name, help=text, parents=[named]).set_defaults(run=_status)
    key = what.add_parser("key", help="a new API key, shown once", parents=[named])
    key.add_argument("--label", required=True, help="for whom")
    key.add_argument("--scopes", required=True, help="separated by commas; `definitions:read,...`")
    key.add_argument("--location", help="the one location that it is good at")
    key.set_defaults(run=_key)
    exporting = what.add_parser("export", help="what it has set up, and its members, as files", parents=[named])
    exporting.add_argument("folder", type=Path, metavar="DIR")
    exporting.add_argument("--members", action="store_true", help="with members.jsonl")
    exporting.add_argument("--personal", action="store_true", help="and in it names, addresses, numbers (scope members:personal)")
    exporting.set_defaults(run=_export)
    removing = what.add_parser("remove", help="remove a suspended tenant with everything it has, for good", parents=[named])
    removing.add_argument("--confirm", required=True, metavar="ID", help="its id once more")
    removing.set_defaults(run=_remove)


def operator_of(url: str | None) -> Client:
    """A caller with the operator's key: from the environment, or of the local instance. ``Failure`` without one."""
    facts = read_env()
    base, key = url or facts.get("api_url"), os.environ.get(OPERATOR_VARIABLE) or facts.get("operator_key")
    if not base or not key:
        raise console.Failure("no operator's key, or no address", f"Set {OPERATOR_VARIABLE} and --url, or run `make up`.")
    return Client(base, key)


def _body(file: Path) -> dict[str, Any]:
    try:
        body = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise console.Failure(f"{file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise console.Failure(f"{file} is not JSON: {error}") from None
    if not isinstance(body, dict) or not isinstance(body.get("settings"), dict):
        remedy = 'It is {"id": "...", "settings": {"name": ..., "currency": ..., "time_zone": ...}}.'
        raise console.Failure(f"{file} describes no tenant", remedy)
    return body


def _list(options: argparse.Namespace) -> int:
    found = operator_of(options.url).all("/v1/tenants")
    rows = [(each["id"], each["status"], each["mode"], each.get("test_tenant", "")) for each in found]
    console.table(("tenant", "status", "mode", "test environment"), rows)
    return 0


def _show(options: argparse.Namespace) -> int:
    text = text_of(operator_of(options.url).get(f"/v1/tenants/{options.tenant}"))
    if options.to is None:
        console.emit(text.rstrip("\n"))
    else:
        options.to.write_text(text, encoding="utf-8")
        console.say(f"Written to {options.to}.")
    return 0


def _create(options: argparse.Namespace) -> int:
    made = create(operator_of(options.url), _body(options.file))
    console.say(f"{made} is there. Next: python -m local tenants key {made} --label owner --scopes tenant:admin,definitions:write")
    return 0


def _configure(options: argparse.Namespace) -> int:
    diff = configure(operator_of(options.url), options.tenant, _body(options.file), dry_run=options.dry_run)
    console.emit(diff.rstrip("\n") if diff else "no differences")
    return 1 if diff and options.dry_run else 0


def _status(options: argparse.Namespace) -> int:
    status = "suspended" if options.what == "suspend" else "active"
    set_status(operator_of(options.url), options.tenant, status)
    console.say(f"{options.tenant} is {status}; holds everywhere within a minute.")
    return 0


def _key(options: argparse.Namespace) -> int:
    body = {"label": options.label, "scopes": options.scopes.split(",")} | ({"location_id": options.location} if options.location else {})
    made = operator_of(options.url).post(f"/v1/tenants/{options.tenant}/keys", body)
    console.say("Shown once:")
    console.emit(made["key"])
    return 0


def _export(options: argparse.Namespace) -> int:
    own = definitions.client_of(options.tenant, options.url)
    counts = export(operator_of(options.url), own, options.tenant, options.folder)
    if options.members:
        with console.step("Members"):
            file = options.folder / "members.jsonl"
            counts["members"] = export_members(own, file, personal=options.personal, fetch=_fetch, pause=time.sleep)
    told = ", ".join(f"{number} {name}" for name, number in counts.items()).replace("_", " ")
    console.say(f"{told} in {options.folder}.")
    return 0


def _fetch(link: str) -> bytes:
    with urllib.request.urlopen(link, timeout=60) as answer:  # nosec B310 - the link that our own API made
        return bytes(answer.read())


def _remove(options: argparse.Namespace) -> int:
    if options.confirm != options.tenant:
        raise console.Failure("--confirm is not the tenant's id", "Nothing was removed.")
    with console.step(f"Removing {options.tenant}: begins three minutes after the order") as notes:
        certificate = remove(operator_of(options.url), options.tenant, time.sleep)
        notes.append(f"{sum(certificate['deleted'].values())} things")
    console.table(("", "removed"), sorted(certificate["deleted"].items()))
    return 0
