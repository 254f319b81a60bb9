"""Refusals about tenants and their keys."""

from __future__ import annotations

from shared.kernel.errors import NotFound, StateConflict


class TenantNotFound(NotFound):
    """No such tenant."""

    code, title = "unknown_tenant", "Unknown tenant"


class TenantExists(StateConflict):
    """The id is taken, or reserved."""

    code, title = "tenant_exists", "Tenant exists"


class KeyNotFound(NotFound):
    """No such key of this tenant."""

    code, title = "unknown_key", "Unknown key"


class TenantRemoving(StateConflict):
    """The tenant is being removed: nothing of it can be changed any more."""

    code, title = "tenant_removing", "Tenant being removed"
