"""Rates of calls as they travel: in a tenant's entry in the operator's list, in the authorizer's context. No model of pydantic's: every
function's cold start imports this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Self

from shared.kernel.errors import InvalidValue
from shared.limits.rules import Rate

Kind = Literal["key", "member", "operator", "staff"]
OPERATOR_RATE: Final = Rate(50, 200)
PUBLIC_RATE: Final = Rate(500, 2000)
"""Links, forms and tokens of one tenant, all guests together: they carry no credential, and a large mailing brings many at once."""
ADDRESS_RATE: Final = Rate(10, 60)
"""Forms and tokens from one network address to one tenant, counted by each environment for itself. A hotel stands behind one."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What holds for one call: its tenant's rate and its credential's. They ride in the authorizer's context as text."""

    tenant: Rate
    credential: Rate

    def text(self) -> str:
        """``200/400 150/300``."""
        return " ".join(f"{each.per_second}/{each.burst}" for each in (self.tenant, self.credential))

    @classmethod
    def parse(cls, text: str) -> Self:
        """``InvalidValue`` for what ``text`` never makes."""
        try:
            tenant, credential = (Rate(*(int(number) for number in each.split("/", 1))) for each in text.split(" "))
        except (ValueError, TypeError):
            raise InvalidValue("rates are two pairs of whole numbers") from None
        if min(tenant.per_second, tenant.burst, credential.per_second, credential.burst) < 1:
            raise InvalidValue("a rate is at least 1")
        return cls(tenant, credential)


OPERATOR_RATES: Final = Rates(OPERATOR_RATE, OPERATOR_RATE)


@dataclass(frozen=True, slots=True)
class TenantRates:
    """The rates of a tenant as its entry in the operator's list keeps them, so that the authorizer needs no other read."""

    tenant: Rate
    key: Rate
    member: Rate

    def text(self) -> str:
        """``200/400 150/300 10/50``."""
        return f"{Rates(self.tenant, self.key).text()} {self.member.per_second}/{self.member.burst}"

    @classmethod
    def parse(cls, text: str | None) -> TenantRates:
        """What was stored; the standard plan where nothing was, as in entries older than plans."""
        if text is None:
            return STANDARD
        both, _, member = text.rpartition(" ")
        rates, last = Rates.parse(both), Rates.parse(f"{member} {member}")
        return cls(rates.tenant, rates.credential, last.tenant)

    def for_credential(self, kind: Kind) -> Rates:
        """The rates of a call with a credential of that kind."""
        return Rates(self.tenant, self.member if kind == "member" else self.key)


STANDARD: Final = TenantRates(Rate(200, 400), Rate(150, 300), Rate(10, 50))
"""What a tenant without a plan of its own has."""
