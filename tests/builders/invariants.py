"""What must hold for a member whatever happened: the ledger proves the balance, and nothing is negative."""

from __future__ import annotations

from collections import Counter

from shared.member_state.repository import StateRepository
from tests.builders.house import House


def check_member(house: House, member: str) -> None:
    """Balance = lots = fold of the ledger; earned = available + pending + spent + expired + reversed."""
    state = house.state(member)
    sums: dict[str, Counter[str]] = {}
    repository = StateRepository(house.tenant, house.table)
    start: str | None = None
    while True:
        rows, start = repository.ledger(member, 100, start)
        for _, _, entries in rows:
            for entry in entries:
                for posting in entry.postings:
                    sums.setdefault(posting.wallet, Counter())[posting.kind] += posting.points
        if start is None:
            break
    for name, wallet in state.wallets.items():
        booked = sums.get(name, Counter())
        in_lots = sum(lot.points for lot in wallet.lots)
        assert all(lot.points > 0 for lot in wallet.lots)
        assert wallet.earned == in_lots + wallet.spent + wallet.expired + wallet.reversed
        assert sum(booked.values()) == in_lots - wallet.debt
        assert booked["earn"] + booked["bonus"] == wallet.earned
        assert -booked["expire"] == wallet.expired
        held = sum(hold.points for hold in state.holds.values() if hold.wallet == name)
        assert 0 <= held <= in_lots
