"""Rates in the dispatcher: which calls are counted where, between the credential and the handler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from shared.http.route import Route
from shared.kernel.instants import Instant
from shared.limits.leases import Buckets, Limits
from shared.tenants.principal import Principal

FINISHING: Final = frozenset(
    {
        "record_transaction", "lookup_transaction", "void_transaction", "get_hold", "extend_hold", "release_hold", "redeem_coupon",
        "release_coupon",
    }
)  # fmt: skip
"""What ends or settles a sale that a till has begun: answered from the reserve while the rest is refused (docs/limits.md)."""


class CountsCalls(Protocol):
    """The part of a ``Runtime`` that calls are counted with."""

    def buckets(self, tenant: str) -> Buckets:
        """Where the tenant's calls are counted."""

    def real_now(self) -> Instant:
        """Real time."""


class Gate:
    """The limits of one function's environment; made with its first call."""

    def __init__(self, runtime: Callable[[], CountsCalls]) -> None:
        self._runtime = runtime
        self._limits = Limits.fresh(lambda: runtime().real_now())

    def admit(self, principal: Principal, route: Route) -> dict[str, str]:
        """The RateLimit headers of the answer; ``RateLimited`` for a call that must wait."""
        if principal.rates is None:
            return {}
        finishes, tenant = route.operation in FINISHING, principal.tenant
        return self._limits.admit(tenant, principal.id, principal.rates, lambda: self._runtime().buckets(tenant), finishes=finishes)

    def admit_guest(self, tenant: str, address: str) -> None:
        """The same for a call without a credential, once its token has told the tenant."""
        self._limits.admit_guest(tenant, address, lambda: self._runtime().buckets(tenant))
