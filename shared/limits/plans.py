"""What a tenant's plan allows. Plans are the operator's: they stand in the tenant's configuration, which no tenant can write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from shared.kernel.errors import FieldError, Forbidden, InvalidValue
from shared.limits.rules import Rate

PlanName = Literal["small", "standard", "large"]
Kind = Literal["key", "member", "operator", "staff"]


class PlanLimit(Forbidden):
    """More than the tenant's plan allows; ``errors`` points at what is too much. The operator can give a larger plan."""

    code, title = "plan_limit", "Above the tenant's plan"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RateLimit(_Frozen):
    """Calls a second, and how many more may come at once."""

    per_second: int = Field(ge=1, le=20_000)
    burst: int = Field(ge=1, le=100_000)


class Plan(_Frozen):
    """A named plan, and what this tenant has differently."""

    name: PlanName = "standard"
    tenant_rate: RateLimit | None = Field(default=None, description="all credentials together; none: as the plan has it")
    key_rate: RateLimit | None = Field(default=None, description="each API key, and each of the staff")
    member_rate: RateLimit | None = Field(default=None, description="each member's own token")
    locations: int | None = Field(default=None, ge=1, le=100_000, description="locations in all")
    bulk_records: int | None = Field(default=None, ge=1, le=500, description="records of one bulk call")
    definitions: int | None = Field(default=None, ge=1, le=10_000, description="definitions of one kind that are not retired")
    exports_per_day: int | None = Field(default=None, ge=0, le=10_000, description="exports of members a UTC day")


@dataclass(frozen=True, slots=True)
class Allowed:
    """A plan with nothing left open."""

    tenant_rate: Rate
    key_rate: Rate
    member_rate: Rate
    locations: int
    bulk_records: int
    definitions: int
    exports_per_day: int

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """The plan's preset with the tenant's own numbers in their places."""
        preset = PLANS[plan.name]
        own = {name: getattr(plan, name) for name in cls.__slots__}
        rates = {name: Rate(each.per_second, each.burst) for name, each in own.items() if isinstance(each, RateLimit)}
        sizes = {name: each for name, each in own.items() if isinstance(each, int)}
        return cls(**{name: getattr(preset, name) for name in cls.__slots__} | rates | sizes)


MEMBER_RATE: Final = Rate(10, 50)
PLANS: Final[dict[PlanName, Allowed]] = {
    "small": Allowed(Rate(50, 100), Rate(50, 100), MEMBER_RATE, 10, 500, 200, 10),
    "standard": Allowed(Rate(200, 400), Rate(150, 300), MEMBER_RATE, 500, 500, 1000, 50),
    "large": Allowed(Rate(2000, 4000), Rate(1000, 2000), MEMBER_RATE, 10_000, 500, 5000, 500),
}
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

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """What is stored for a plan."""
        allowed = Allowed.of(plan)
        return cls(allowed.tenant_rate, allowed.key_rate, allowed.member_rate)

    def text(self) -> str:
        """``200/400 150/300 10/50``."""
        return f"{Rates(self.tenant, self.key).text()} {self.member.per_second}/{self.member.burst}"

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """What was stored; the standard plan where nothing was, as in entries older than plans."""
        if text is None:
            return cls.of(Plan())
        both, _, member = text.rpartition(" ")
        rates, last = Rates.parse(both), Rates.parse(f"{member} {member}")
        return cls(rates.tenant, rates.credential, last.tenant)

    def for_credential(self, kind: Kind) -> Rates:
        """The rates of a call with a credential of that kind."""
        return Rates(self.tenant, self.member if kind == "member" else self.key)


def check_size(allowed: int, wanted: int, pointer: str, what: str) -> None:
    """``PlanLimit`` that points at the field, where more is wanted than the plan allows."""
    if wanted > allowed:
        raise PlanLimit(f"The tenant's plan allows {allowed} {what}.", errors=(FieldError(pointer, "plan_limit", f"at most {allowed}"),))
