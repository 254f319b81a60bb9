"""Refusals about tenants and their keys."""

from __future__ import annotations

from shared.kernel.errors import NotFound, StateConflict, Unprocessable


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


class ReservedForTests(Unprocessable):
    """An id that only a test environment has; ``POST /v1/tenants/{id}/test`` makes one."""

    code, title = "reserved_for_test", "Id of a test environment"


class OnlyInTests(Unprocessable):
    """A setting that only a test environment has."""

    code, title = "only_in_test", "Setting of a test environment"


class NestedTest(StateConflict):
    """A test environment has none of its own."""

    code, title = "test_of_test", "Test environment already"


class NoMoreTests(StateConflict):
    """The tenant has had as many test environments as one can have."""

    code, title = "tests_used_up", "No more test environments"


class LiveTenantNotActive(StateConflict):
    """The tenant itself is suspended, or on its way out, and so is its test environment."""

    code, title = "live_tenant_not_active", "Live tenant not active"
