"""What must hold for a member whatever happened: the ledger proves the balance, and nothing is negative."""

from __future__ import annotations

from collections import Counter

from shared.member_state.effects import LedgerEntry
from shared.member_state.repository import StateRepository
from shared.wallet.model import DEBT, Posting
from tests.builders.house import House


def ledger_of(house: House, member: str) -> list[LedgerEntry]:
    """Every entry, newest commit first."""
    repository = StateRepository(house.tenant, house.table)
    found: list[LedgerEntry] = []
    start: str | None = None
    while True:
        rows, start = repository.ledger(member, 100, start)
        found += [entry for _, _, entries in rows for entry in entries]
        if start is None:
            return found


def bucket_of(posting: Posting) -> str:
    """Which sum of the wallet a posting is proof of (``shared.wallet.model``)."""
    if posting.kind == "expire":
        return "expired"
    if posting.points > 0 and posting.kind != "give_back":
        return "earned"
    return "owed" if posting.kind == "reverse" or posting.expires_at == DEBT else "spent"


def check_member(house: House, member: str) -> None:
    """Balance = lots = fold of the ledger; earned = available + pending + spent + expired + reversed."""
    state = house.state(member)
    sums: dict[str, Counter[str]] = {}
    for entry in ledger_of(house, member):
        for posting in entry.postings:
            sums.setdefault(posting.wallet, Counter())[bucket_of(posting)] += posting.points
    assert sums.keys() <= state.wallets.keys()
    for name, wallet in state.wallets.items():
        booked = sums.get(name, Counter())
        in_lots = sum(lot.points for lot in wallet.lots)
        assert all(lot.points > 0 for lot in wallet.lots)
        assert min(wallet.earned, wallet.spent, wallet.expired, wallet.reversed, wallet.debt) >= 0
        assert wallet.earned == in_lots + wallet.spent + wallet.expired + wallet.reversed
        assert booked.total() == in_lots - wallet.debt
        assert (booked["earned"], booked["expired"], booked["spent"]) == (wallet.earned, -wallet.expired, -wallet.spent)
        assert booked["owed"] == -(wallet.reversed + wallet.debt)
        held = sum(hold.points for hold in state.holds.values() if hold.wallet == name)
        assert 0 <= held <= in_lots


def check_united(house: House, member: str) -> None:
    """The same of one in whom others have been found: over all their ledgers, without the pairs by which points moved between them."""
    state = house.state(member)
    sums: dict[str, Counter[str]] = {}
    own: Counter[str] = Counter()
    for id_ in (state.member, *state.former):
        for entry in ledger_of(house, id_):
            for posting in entry.postings:
                own[posting.wallet] += posting.points * (id_ == state.member)
                if entry.kind != "merge":
                    sums.setdefault(posting.wallet, Counter())[bucket_of(posting)] += posting.points
    for name, wallet in state.wallets.items():
        booked, in_lots = sums.get(name, Counter()), sum(lot.points for lot in wallet.lots)
        assert all(lot.points > 0 for lot in wallet.lots)
        assert min(wallet.earned, wallet.spent, wallet.expired, wallet.reversed, wallet.debt) >= 0
        assert wallet.earned == in_lots + wallet.spent + wallet.expired + wallet.reversed
        assert own[name] == booked.total() == in_lots - wallet.debt
        assert (booked["earned"], booked["expired"], booked["spent"]) == (wallet.earned, -wallet.expired, -wallet.spent)
        assert booked["owed"] == -(wallet.reversed + wallet.debt)
