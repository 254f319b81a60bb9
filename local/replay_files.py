"""What a replay writes: the ledger, the changes of tiers and what becomes of challenges as they happen, everything else at the end."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

from shared.kernel.instants import NEVER, Instant, format_rfc3339
from shared.member_state.effects import Effects
from shared.replay.engine import Replay
from shared.tenants.model import WalletSettings
from shared.wallet.model import SLIDING
from shared.wallet.rules import available, held, pending

LEDGER = ("at", "member", "kind", "wallet", "points", "expires_at", "reference")
TIERS = ("at", "member", "change", "from", "to", "cause")
CHALLENGES = ("at", "member", "challenge", "instance", "change", "times", "points")
BALANCES = (
    "member", "wallet", "available", "pending", "held", "debt", "earned", "spent", "expired", "reversed", "value"
)  # fmt: skip
SEGMENTS = ("member", "segment", "version", "entered", "left", "inside", "since")
COUPONS = ("coupon", "member", "offer", "version", "given_by", "active_from", "expires_at", "state", "transaction")
PLAIN = WalletSettings()


class Files:
    """The files of one replay in a folder; hears what happens while it runs, and closes with the ``with`` block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        folder.mkdir(parents=True, exist_ok=True)
        self._ledger = self._writer("ledger.csv", LEDGER)
        self._tiers = self._writer("tiers.csv", TIERS)
        self._challenges = self._writer("challenges.csv", CHALLENGES)
        self._entered: Counter[tuple[str, str]] = Counter()
        self._left: Counter[tuple[str, str]] = Counter()
        self.told: Counter[str] = Counter()
        """Events by type."""

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def hear(self, member: str, effects: Effects) -> None:
        """Write down what one change of a member led to."""
        for entry in effects.entries:
            at, reference = text_of(entry.at), entry.reference or ""
            self._ledger.writerows(
                [(at, member, each.kind, each.wallet, each.points, until(each.expires_at), reference) for each in entry.postings]
            )
        for event in effects.events:
            self.told[event.type] += 1
            if event.type == "tier.changed":
                before, after = event.data["from"] or "", event.data["to"] or ""
                self._tiers.writerow((text_of(event.occurred_at), member, "changed", before, after, event.cause or ""))
            elif event.type.startswith("challenge."):
                named = (event.data["challenge"], event.data["instance"], event.type.removeprefix("challenge."))
                self._challenges.writerow(
                    (text_of(event.occurred_at), member, *named, event.data.get("times", ""), event.data.get("points", ""))
                )
            elif event.type in ("segment.entered", "segment.left"):
                key = f"{event.data['segment']}@{event.data['segment_version']}"
                (self._entered if event.type == "segment.entered" else self._left)[member, key] += 1

    def finish(self, replay: Replay, until_: Instant, figures: dict[str, Any]) -> dict[str, Any]:
        """Write what is known only at the end; answers the summary."""
        members = replay.world.members
        for id_ in sorted(members):
            tier = members[id_].state.tier
            if tier is not None:
                self._tiers.writerow((text_of(tier.since), id_, "final", "", tier.id, ""))
        self._write("balances.csv", BALANCES, balances(replay))
        self._write("segments.csv", SEGMENTS, self._segments(replay))
        self._write("coupons.csv", COUPONS, coupons(replay, until_))
        summary = summary_of(replay, until_, self.told) | figures
        (self._folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        return summary

    def _segments(self, replay: Replay) -> Iterator[Sequence[object]]:
        for member, key in sorted(self._entered):
            segment, _, version = key.rpartition("@")
            since = replay.world.members[member].state.segments.get(key)
            inside = (1, text_of(since)) if since is not None else (0, "")
            yield (member, segment, version, self._entered[member, key], self._left[member, key], *inside)

    def _write(self, name: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        self._writer(name, headings).writerows(rows)

    def _writer(self, name: str, headings: Sequence[str]) -> Any:
        opened: TextIO = self._stack.enter_context((self._folder / name).open("w", encoding="utf-8", newline=""))
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(headings)
        return writer


text_of = lru_cache(maxsize=4096)(format_rfc3339)
"""Instants as text; expiries repeat."""


def until(expires_at: Instant) -> str:
    """An expiry for people and spreadsheets: empty is never (or a debt's posting, which has none)."""
    if expires_at == SLIDING:
        return "inactivity"
    return "" if expires_at in (0, NEVER) else text_of(expires_at)


def worth(points: int, wallet: WalletSettings) -> int:
    """Minor units, rounded down."""
    return points * wallet.value // wallet.points


def balances(replay: Replay) -> Iterator[Sequence[object]]:
    """A row a member and wallet. ``value`` is of the points that she has, pending and held ones too."""
    wallets = replay.world.definitions.settings.wallets
    for id_, member in sorted(replay.world.members.items()):
        state = member.state
        for name, wallet in sorted(state.wallets.items()):
            points = sum(lot.points for lot in wallet.lots)
            sums = (wallet.earned, wallet.spent, wallet.expired, wallet.reversed)
            there = (available(wallet, state.holds, name), pending(wallet), held(state.holds, name), wallet.debt)
            yield (id_, name, *there, *sums, worth(points, wallets.get(name, PLAIN)))


def coupons(replay: Replay, at: Instant) -> Iterator[Sequence[object]]:
    """A row a coupon, as it is at the instant."""
    for id_, each in sorted(replay.world.coupons.items()):
        state = "expired" if each.state == "active" and each.expires_at <= at else each.state
        span = (text_of(each.active_from), until(each.expires_at))
        yield (id_, each.member or "", each.offer, each.offer_version, each.issued_by or "", *span, state, each.redeemed_basket or "")


def summary_of(replay: Replay, until_: Instant, told: Counter[str]) -> dict[str, Any]:
    """Counts and totals. Nothing in it depends on the machine or the clock."""
    wallets: dict[str, Counter[str]] = {}
    for member in replay.world.members.values():
        for name, wallet in member.state.wallets.items():
            sums = wallets.setdefault(name, Counter())
            points = sum(lot.points for lot in wallet.lots)
            now = {"outstanding": points, "pending": pending(wallet), "debt": wallet.debt}
            sums.update(now | {"earned": wallet.earned, "spent": wallet.spent, "expired": wallet.expired, "reversed": wallet.reversed})
    settings = replay.world.definitions.settings
    given = Counter(each.offer for each in replay.world.coupons.values())
    redeemed = Counter(each.offer for each in replay.world.coupons.values() if each.state == "redeemed")
    tiers = Counter(member.state.tier.id for member in replay.world.members.values() if member.state.tier is not None)
    counts: dict[str, dict[str, int]] = {}
    for (type_, outcome), number in sorted(replay.counts.items()):
        if number:
            counts.setdefault(type_, {})[outcome] = number
    return {
        "until": text_of(until_),
        "members": len(replay.world.members),
        "events": counts,
        "refusals": {f"{type_}/{code}": number for (type_, code), number in sorted(replay.refusals.items())},
        "told": dict(sorted(told.items())),
        "currency": settings.currency,
        "wallets": {
            name: dict(sums) | {"liability": worth(sums["outstanding"], settings.wallets.get(name, PLAIN))}
            for name, sums in sorted(wallets.items())
        },
        "tiers": dict(sorted(tiers.items())),
        "coupons": {offer: {"given": number, "redeemed": redeemed[offer]} for offer, number in sorted(given.items())},
    }
