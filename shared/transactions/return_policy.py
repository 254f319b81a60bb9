"""What the programmes of a sale say of its return: what is given back, how points are taken back, what vouchers had paid. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from shared.member_state.events import ReversalTerms
from shared.programmes.compiled import Programme
from shared.tenants.model import WalletSettings
from shared.transactions.model import CouponDiscount
from shared.transactions.returning import GiveBack, Sold


def give_back_of(programmes: Sequence[Programme], wallet: str) -> GiveBack:
    """What the programme that took the points gives back; ``programmes`` are those of the sale's instant."""
    taking = next((each for each in programmes if each.body.wallet == wallet and each.body.spending), None)
    return taking.body.returns.give_back if taking is not None else "pro_rata"


def terms_of(sold: Sold, programmes: Sequence[Programme], wallets: Mapping[str, WalletSettings]) -> dict[str, ReversalTerms]:
    """Wallet -> how its points are taken back: by the first programme that gave any."""
    found: dict[str, ReversalTerms] = {}
    for award in sold.awards:
        programme = next(each for each in programmes if each.id == award.programme)
        found.setdefault(award.posting.wallet, terms_by(programme, wallets))
    return found


def terms_by(programme: Programme, wallets: Mapping[str, WalletSettings]) -> ReversalTerms:
    """How a programme takes points back."""
    returns, wallet = programme.body.returns, wallets.get(programme.body.wallet)
    return ReversalTerms(returns.points_gone, wallet.floor if wallet is not None else None, returns.vouchers == "take_back")


def paid_by_line(discounts: Iterable[CouponDiscount]) -> dict[str, int]:
    """Line -> what vouchers that count as tenders paid of it."""
    paid: dict[str, int] = {}
    for line, part in (each for discount in discounts if discount.tender for each in discount.lines):
        paid[line] = paid.get(line, 0) + part
    return paid
