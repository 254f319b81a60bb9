"""Every check over one programme. Pure; the same findings in the same order every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from shared.coupons.model import OfferBody
from shared.kernel.instants import DAY, Instant
from shared.programmes.compiled import Programme
from shared.programmes.lint.circumstances import LATEST
from shared.programmes.lint.dead import dead
from shared.programmes.lint.model import MOST_FINDINGS, Finding
from shared.programmes.lint.rewards import rewards
from shared.programmes.lint.shadowed import shadowed
from shared.programmes.lint.spending import terms
from shared.programmes.lint.subject import Subject
from shared.programmes.lint.tiers import tiers
from shared.programmes.lint.worth import worth
from shared.programmes.model import ProgrammeBody
from shared.tenants.model import WalletSettings


def lint(
    body: ProgrammeBody,
    *,
    wallets: Mapping[str, WalletSettings],
    offers: Mapping[str, OfferBody],
    others: Sequence[Programme],
    prices: Mapping[str, int] | None = None,
    at: Instant = 0,
    zone: str = "UTC",
    id: str = "",  # noqa: A002 as definitions call it
    locations: Mapping[str, frozenset[str]] | None = None,
) -> tuple[Finding, ...]:
    """What is wrong with the programme if it holds from ``at`` on: errors first, then by place; at most ``MOST_FINDINGS``.

    ``others`` are the programmes in force beside it, ``offers`` those in force by id, ``prices`` catalogue prices by item, in minor
    units, ``locations`` the tenant's with the groups that each is in. Never raises for a valid body. Cost: linear in the number of
    rules but for bounded comparisons; see each check.
    """
    subject = Subject(body, wallets, offers, others, prices or {}, min(at, LATEST - 366 * DAY), zone, id, locations or {})
    found: list[Finding] = []
    for check in (dead, shadowed, worth, rewards, terms, tiers):
        found += islice(check(subject), MOST_FINDINGS)
    found.sort(key=lambda finding: (finding.severity, _place(finding.pointer), finding.code))
    return tuple(found[:MOST_FINDINGS])


def _place(pointer: str) -> tuple[tuple[int, int, str], ...]:
    """Pointers in the order of the definition: the tenth entry after the second."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in pointer.split("/"))
