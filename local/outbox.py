"""The local outbox: what the providers would have delivered, over every channel, as a person can read it in the browser."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from local import console
from local.env import read_env, running_instance
from local.store import Store

PORT = 8025
_WAIT_SECONDS = 60
_SHOWN = 200
FILTERS = ("tenant", "member", "channel", "campaign")
"""What a list of messages may be narrowed to."""


def delivered(store: Store, tenant: str, member: str) -> list[dict[str, Any]]:
    """Everything that was delivered to a member, oldest first: without what a test environment withheld."""
    delivered_to_her = (each for each in Reader(store).messages(f"outbox/{tenant}/{member}/") if "withheld" not in each)
    return sorted(delivered_to_her, key=lambda body: str(body["sent_at"]))


def wait_for(store: Store, tenant: str, member: str, campaign: str) -> dict[str, Any]:
    """The message of a campaign to a member, once it is there."""
    until = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < until:
        for message in delivered(store, tenant, member):
            if message["campaign"] == campaign:
                return message
        time.sleep(0.05)
    raise console.Failure(
        f"no message of campaign {campaign} arrived within {_WAIT_SECONDS} s",
        "Look for dead letters (python -m local dlq) and at the functions' logs in .local/demo.",
    )


class Reader:
    """The messages of a stage; each object is read once."""

    def __init__(self, store: Store) -> None:
        self._s3, self._bucket = store.client("s3"), store.outputs["DataBucket"]
        self._kept: dict[tuple[str, str], dict[str, Any]] = {}

    def messages(self, prefix: str = "outbox/") -> list[dict[str, Any]]:
        """All that begin so, in no order."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        return [self._read(each["Key"], each["ETag"]) for page in pages for each in page.get("Contents", [])]

    def _read(self, name: str, tag: str) -> dict[str, Any]:
        if (name, tag) not in self._kept:
            body = self._s3.get_object(Bucket=self._bucket, Key=name)["Body"].read()
            self._kept[name, tag] = {**json.loads(body), "name": name}
        return self._kept[name, tag]


def chosen(messages: Iterable[Mapping[str, Any]], wanted: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Those that fit the filters, newest first, at most 200."""
    fits = (each for each in messages if all(each.get(name) == value for name, value in wanted.items() if name in FILTERS and value))
    return sorted(fits, key=lambda each: (str(each["sent_at"]), str(each.get("name", ""))), reverse=True)[:_SHOWN]


def add_parser(subparsers: Any) -> None:
    """``python -m local outbox``."""
    parser = subparsers.add_parser("outbox", help="read in the browser what was delivered", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help=f"of this machine alone (default {PORT}; 0 takes a free one)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show until it is interrupted."""
    # Here: the story and the tests read the outbox without its page.
    from local.outbox_page import serving

    running_instance()
    reader = Reader(Store.of(read_env()))
    try:
        with serving(reader.messages, options.port) as server:
            console.say(f"The outbox is at http://127.0.0.1:{server.server_address[1]}/   (Ctrl-C ends it)")
            server.serve_forever()
    except OSError as error:
        raise console.Failure(f"port {options.port} cannot be used: {error.strerror}", "Choose another: --port 0") from None
    except KeyboardInterrupt:
        console.say()
    return 0
