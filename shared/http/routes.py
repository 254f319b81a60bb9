"""The one table of routes: which function answers, which scopes it takes, which models go in and out.

The deployment makes the gateway's routes from it, the dispatcher finds its operation and checks the scopes from it,
and ``docs/openapi.json`` is generated from it. Models are named by ``module:Class`` and imported only by the
generator, so that a function carries its own models and nobody else's.
"""

from __future__ import annotations

from typing import Final

from shared.http.route import FunctionName, Route
from shared.http.routes_administration import administration
from shared.http.routes_audiences import audiences, media, statistics
from shared.http.routes_campaigns import campaigns, forecast, guest_links
from shared.http.routes_members import members, members_doings
from shared.http.routes_sign_in import sign_in
from shared.http.routes_tenancy import tenancy
from shared.http.routes_tills import coupon_redemption, transaction_ingestion
from shared.kernel.scopes import MEMBER, PUBLIC, SCOPES

__all__ = ["MEMBER", "PUBLIC", "ROUTES", "ROUTES_BY_KEY", "SCOPES", "FunctionName", "Route"]

ROUTES: Final[tuple[Route, ...]] = (
    *members(), *members_doings(), *sign_in(), *transaction_ingestion(), *coupon_redemption(), *tenancy(), *administration(), *campaigns(),
    *media(), *audiences(), *statistics(), *guest_links(), *forecast(),
)  # fmt: skip
ROUTES_BY_KEY: Final[dict[str, Route]] = {route.key: route for route in ROUTES}
