"""Emergency stops of a tenant: what it does is the tenant's until it says go again. Kept beside its settings and read with them, so that it
holds everywhere within the cache time of definitions (60 seconds).
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field, StrictBool

from shared.tenants.base import Frozen, Name

MAX_OFFERS: Final = 50
ALL: Final = "redemptions_stopped"
"""The reason where nothing is redeemed: of a coupon, a conversion, a reward."""
ONE: Final = "offer_stopped"
"""The reason where one offer is stopped."""
MARK: Final = "stop:"
"""What a stop is called among what is exhausted for a basket (``Circumstances`` of a sale): ``stop:`` or ``stop:<offer>``."""


def _once(offers: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(offers)))


class Stops(Frozen):
    """What is stopped."""

    messages: StrictBool = Field(default=False, description="nothing is sent; what waits for its time goes on waiting")
    redemptions: StrictBool = Field(
        default=False, description="no coupon is redeemed, no points become vouchers or rewards; points are earned, sales recorded"
    )
    offers: Annotated[tuple[Name, ...], AfterValidator(_once)] = Field(
        default=(), max_length=MAX_OFFERS, description="of these no coupon is issued or redeemed"
    )

    def reason(self, offer: str | None = None) -> str | None:
        """Why nothing may be redeemed, or nothing of an offer; ``None`` if it may."""
        return ALL if self.redemptions else ONE if offer is not None and offer in self.offers else None

    @property
    def marks(self) -> frozenset[str]:
        """For the decision about a basket; see ``MARK``."""
        return frozenset({*([MARK] if self.redemptions else []), *(f"{MARK}{offer}" for offer in self.offers)})


NO_STOPS: Final = Stops()


class StopsAnswer(Stops):
    """What is stopped now, and since when it is so; ``changed_at`` is absent where nothing ever was."""

    changed_at: str | None = None
