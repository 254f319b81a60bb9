"""What a tenant's plan allows. Plans are the operator's: they stand in the tenant's configuration, which no tenant can write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from shared.kernel.errors import FieldError, Forbidden
from shared.limits.rates import STANDARD, TenantRates
from shared.limits.rules import Rate

PlanName = Literal["small", "standard", "large"]


class PlanLimit(Forbidden):
    """More than the tenant's plan allows; ``errors`` points at what is too much. The operator can give a larger plan."""

    code, title = "plan_limit", "Above the tenant's plan"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


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


PLANS: Final[dict[PlanName, Allowed]] = {
    "small": Allowed(Rate(50, 100), Rate(50, 100), STANDARD.member, 10, 500, 200, 10),
    "standard": Allowed(STANDARD.tenant, STANDARD.key, STANDARD.member, 500, 500, 1000, 50),
    "large": Allowed(Rate(2000, 4000), Rate(1000, 2000), STANDARD.member, 10_000, 500, 5000, 500),
}


def rates_of(plan: Plan) -> TenantRates:
    """What the tenant's entry keeps of its plan."""
    allowed = Allowed.of(plan)
    return TenantRates(allowed.tenant_rate, allowed.key_rate, allowed.member_rate)


def check_size(allowed: int, wanted: int, pointer: str, what: str) -> None:
    """``PlanLimit`` that points at the field, where more is wanted than the plan allows."""
    if wanted > allowed:
        raise PlanLimit(f"The tenant's plan allows {allowed} {what}.", errors=(FieldError(pointer, "plan_limit", f"at most {allowed}"),))
