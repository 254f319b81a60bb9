"""What the routes in the files beside the handler are served with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from functions.transaction_ingestion.settings import IngestionSettings
from shared.aws.objects import S3Store
from shared.aws.runtime import Runtime
from shared.http.app import Answer, HttpApp, Request
from shared.tenants.principal import require_location
from shared.tenants.scope import TenantScope
from shared.transactions.repository import natural_key


@dataclass(frozen=True, slots=True)
class Wiring:
    """The handler's own functions: asked with every request, made with the first."""

    app: HttpApp
    settings: Callable[[], IngestionSettings]
    runtime: Callable[[], Runtime]

    def scope(self, request: Request) -> TenantScope:
        """The caller's tenant."""
        return self.runtime().scope(request.principal)

    def store(self) -> S3Store:
        """Where bulk bodies lie."""
        return S3Store(self.runtime().client("s3"), self.settings().bucket)

    def sale_id(self, request: Request) -> str:
        """The sale in the path, of a location that the caller may act for."""
        id_ = request.path["transaction_id"]
        require_location(request.principal, natural_key(id_).location, self.scope(request).groups_of)
        return id_

    def on(self, operation: str, work: Callable[[Wiring, Request], Answer]) -> None:
        """Register what serves a route."""
        self.app.operation(operation)(partial(work, self))
