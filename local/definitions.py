"""A tenant's definitions as files: written out, compared, and applied again, over the public API.

``export DIR`` writes one file a definition, ``DIR/<kind>/<id>.json``, always in the same form, so that a version control system shows what
changed. ``diff DIR`` compares them with what the tenant has (and ends with 1 where they differ). ``apply DIR`` writes drafts of what is new
or different, and with ``--publish`` publishes them, what others refer to first; what is the same is left alone, so that a run that broke
off is simply repeated. Nothing is ever retired by it: what the tenant has beyond the files is named.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from local import console
from local.client import Client, Refused
from local.env import read_env
from shared.definitions.api import REQUESTS
from shared.definitions.model import Kind
from shared.tenants.credentials import parse_api_key

KINDS: Final[Mapping[str, Kind]] = {
    "segments": "segment", "offers": "offer", "rewards": "reward", "promotions": "promotion", "challenges": "challenge",
    "programmes": "programme", "campaigns": "campaign",
}  # fmt: skip
"""In the order in which they are applied: what others refer to first."""
KEY_VARIABLE: Final = "REGULARS_KEY"
_HOLDER: Final = "marketer"
Name = tuple[str, str]
"""Kind (plural) and id."""


def of_tenant(client: Client) -> dict[Name, dict[str, Any]]:
    """What the tenant has, as the API answers it: the newest version of each that is not retired."""
    return {(kind, each["id"]): each for kind in KINDS for each in client.all(f"/v1/{kind}") if each["status"] != "retired"}


def of_folder(folder: Path) -> dict[Name, dict[str, Any]]:
    """The definitions of a folder."""
    found: dict[Name, dict[str, Any]] = {}
    for kind in KINDS:
        for file in sorted((folder / kind).glob("*.json")):
            try:
                found[kind, file.stem] = json.loads(file.read_text(encoding="utf-8"))
            except ValueError as error:
                raise console.Failure(f"{file} is not JSON: {error}") from None
    return found


def text_of(name: Name, body: Mapping[str, Any]) -> str:
    """A definition as it is written: every field that says something, sorted, so that equal ones are equal texts."""
    kind, id_ = name
    try:
        request: Any = REQUESTS[KINDS[kind]].model_validate({"id": id_, "definition": body})
    except ValidationError as error:
        where = "; ".join("/".join(map(str, each["loc"][1:])) + ": " + each["msg"] for each in error.errors()[:5])
        raise console.Failure(f"{kind}/{id_}.json does not fit: {where}") from None
    whole = request.definition.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def export(client: Client, folder: Path) -> int:
    """Write every definition; files of what is not there any more are removed. Answers how many were written."""
    texts = {name: text_of(name, each["definition"]) for name, each in of_tenant(client).items()}
    for (kind, id_), text in texts.items():
        (folder / kind).mkdir(parents=True, exist_ok=True)
        (folder / kind / f"{id_}.json").write_text(text, encoding="utf-8")
    for kind, id_ in of_folder(folder).keys() - texts.keys():
        (folder / kind / f"{id_}.json").unlink()
    return len(texts)


def differences(client: Client, folder: Path) -> Iterator[str]:
    """A unified diff for each definition that differs, from the tenant's to the folder's."""
    theirs = {name: text_of(name, each["definition"]) for name, each in of_tenant(client).items()}
    ours = {name: text_of(name, body) for name, body in of_folder(folder).items()}
    for name in sorted(theirs.keys() | ours.keys()):
        path = "/".join(name) + ".json"
        before, after = (each.get(name, "").splitlines(keepends=True) for each in (theirs, ours))
        named = (f"tenant/{path}" if name in theirs else "/dev/null", f"{folder}/{path}" if name in ours else "/dev/null")
        diff = "".join(difflib.unified_diff(before, after, *named))
        if diff:
            yield diff


def apply(client: Client, folder: Path, *, publish: bool) -> tuple[list[str], list[str]]:
    """Write what is new or different, and publish it if asked to: also a draft that is there already. Answers what was done, and what the
    tenant has beyond the folder.
    """
    theirs, done = of_tenant(client), []
    ours = of_folder(folder)
    texts = {name: text_of(name, body) for name, body in ours.items()}
    for name, text in texts.items():
        kind, id_ = name
        stored = theirs.get(name)
        same = stored is not None and text_of(name, stored["definition"]) == text
        try:
            if stored is None:
                stored = client.post(f"/v1/{kind}", {"id": id_, "definition": ours[name]})
                done.append(f"{kind}/{id_}: created")
            elif not same:
                stored = client.put(f"/v1/{kind}/{id_}", {"definition": ours[name]}, f'"{stored["etag"]}"')
                done.append(f"{kind}/{id_}: draft of version {stored['version']}")
            if publish and stored["status"] == "draft":
                client.post(f"/v1/{kind}/{id_}/publish", {})
                done.append(f"{kind}/{id_}: published")
        except Refused as refusal:
            raise console.Failure(str(refusal), "What came before it is done. Mend the file, then run it again.") from None
    return done, ["/".join(name) for name in sorted(theirs.keys() - ours.keys())]


def add_parser(subparsers: Any) -> None:
    """``python -m local definitions``."""
    parser = subparsers.add_parser("definitions", help="definitions as files: export, diff, apply", description=__doc__)
    parser.add_argument("what", choices=("export", "diff", "apply"))
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--tenant", required=True, help="whose they are; a key of another tenant is refused before anything is sent")
    parser.add_argument("--url", help="address of the API; the local instance's unless given")
    parser.add_argument("--publish", action="store_true", help="apply: publish the drafts")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Export, compare or apply. 1 where there are differences."""
    client = client_of(options.tenant, options.url)
    if options.what == "export":
        console.say(f"{export(client, options.folder)} definitions in {options.folder}.")
        return 0
    if not options.folder.is_dir():
        raise console.Failure(f"{options.folder} is no folder")
    if options.what == "diff":
        found = list(differences(client, options.folder))
        console.emit("".join(found).rstrip("\n") if found else "no differences")
        return 1 if found else 0
    done, beyond = apply(client, options.folder, publish=options.publish)
    for line in done or ["nothing to do"]:
        console.say(line)
    for name in beyond:
        console.say(f"{name}: only the tenant has it")
    return 0


def client_of(tenant: str, url: str | None) -> Client:
    """A caller with a key of that tenant: from the environment, or of the local instance."""
    facts = read_env()
    key = os.environ.get(KEY_VARIABLE) or facts.get("tenants", {}).get(tenant, {}).get(_HOLDER)
    base = url or facts.get("api_url")
    if not key or not base:
        remedy = f"Set {KEY_VARIABLE} to an API key with definitions:read and definitions:write, and --url."
        raise console.Failure("no key, or no address", remedy)
    parsed = parse_api_key(key)
    if parsed is None or parsed.tenant != tenant:
        raise console.Failure(f"the key is not one of the tenant {tenant}", f"Set {KEY_VARIABLE}.")
    return Client(base, key)
