"""Routes of tenants, their keys and stops."""

from __future__ import annotations

from shared.http.route import PAGE, Method, Route
from shared.kernel.scopes import AUDIT, OPERATOR, TENANT_ADMIN

_TEN = "shared.tenants.api:"
_KEY = "shared.tenants.keys_api:"
_SIG = "shared.tenants.signing:"
_REM = "shared.tenants.removal_api:"
_STO = "shared.tenants.stops:"
_AUD = "shared.audit.api:"
_STF = "shared.tenants.staff_api:"
_AUDIT_QUERY = (*PAGE, "from", "until", "actor", "member_id", "operation")


def _keys(base: str, name: str, scope: str, whose: str) -> list[Route]:
    """API keys of any tenant, and of the caller's own."""

    def route(method: Method, tail: str, operation: str, summary: str, **more: object) -> Route:
        return Route(method, base + tail, "tenancy", operation, scope, summary + whose, **more)  # type: ignore[arg-type]

    one = "/{key_id}"
    return [
        route("GET", "", f"list_{name}s", "List API keys, without their secrets", response=_KEY + "KeyPage", query=PAGE),
        route("POST", "", f"create_{name}", "Create an API key; its secret is shown once",
              request=_KEY + "KeyRequest", response=_KEY + "KeyAnswer", status=201),
        route("POST", one + "/rotate", f"rotate_{name}", "A second secret of an API key, shown once; the first holds a while longer",
              request=_KEY + "RotateRequest", response=_KEY + "KeyAnswer"),
        route("DELETE", one, f"revoke_{name}", "Revoke an API key", status=204),
    ]


def tenancy() -> list[Route]:
    """What the operator does, and a tenant's own owner."""

    def route(method: Method, path: str, operation: str, scope: str, summary: str, **more: object) -> Route:
        return Route(method, path, "tenancy", operation, scope, summary, **more)  # type: ignore[arg-type]

    return [
        route("POST", "/v1/tenants", "create_tenant", "operator", "Create a tenant",
              request=_TEN + "TenantRequest", response=_TEN + "TenantAnswer", status=201),
        route("GET", "/v1/tenants", "list_tenants", "operator", "List tenants", response=_TEN + "TenantPage", query=(*PAGE, "mode")),
        route("POST", "/v1/tenants/{tenant_id}/test", "create_test_tenant", OPERATOR,
              "Make a tenant's test environment: a tenant of its own, with the settings and without data",
              response=_TEN + "TenantAnswer", status=201),
        route("GET", "/v1/tenants/{tenant_id}", "get_tenant", "operator", "Read a tenant", response=_TEN + "TenantAnswer"),
        route("PUT", "/v1/tenants/{tenant_id}", "replace_tenant", "operator", "Replace a tenant's configuration",
              request=_TEN + "TenantRequest", response=_TEN + "TenantAnswer", needs_if_match=True),
        route("DELETE", "/v1/tenants/{tenant_id}", "remove_tenant", OPERATOR,
              "Remove a suspended tenant with all that it has, its test environment included; 202",
              request=_REM + "RemovalRequest", response=_REM + "RemovalAnswer", status=202),
        route("GET", "/v1/tenants/{tenant_id}/removal", "get_removal", OPERATOR, "How far a removal is; afterwards its certificate",
              response=_REM + "RemovalAnswer"),
        *_keys("/v1/tenants/{tenant_id}/keys", "key", OPERATOR, ""),
        *_keys("/v1/keys", "own_key", TENANT_ADMIN, " (own tenant, as far as the own key reaches)"),
        route("GET", "/v1/staff", "list_staff", TENANT_ADMIN, "People who work for the tenant", response=_STF + "StaffPage", query=PAGE),
        route("POST", "/v1/staff", "invite_staff", TENANT_ADMIN, "Invite somebody by e-mail, into a group and perhaps to a place",
              request=_STF + "StaffRequest", response=_STF + "StaffAnswer", status=201),
        route("PATCH", "/v1/staff/{staff_id}", "change_staff", TENANT_ADMIN,
              "Another group or place; disable; sign out everywhere; a new authenticator app",
              request=_STF + "StaffChange", response=_STF + "StaffAnswer"),
        route("DELETE", "/v1/staff/{staff_id}", "remove_staff", TENANT_ADMIN, "Remove one of the staff", status=204),
        route("PUT", "/v1/tenants/{tenant_id}/push/{platform}", "set_push_application", "operator",
              "Store a push credential (write-only) and make its platform application",
              request=_TEN + "PushRequest", response=_TEN + "PushAnswer", audit="order"),
        route("PUT", "/v1/tenants/{tenant_id}/apple", "set_apple_client", OPERATOR,
              "Store the tenant's key as a client of Apple's (write-only), so that erasures revoke what Apple gave",
              request="shared.tenants.apple_client:AppleClientRequest", status=204, audit="order"),
        route("GET", "/v1/signing-keys", "get_signing_keys", OPERATOR, "The keys that sign members' tokens",
              response=_SIG + "SigningKeysAnswer"),
        route("POST", "/v1/signing-keys/rotate", "rotate_signing_keys", OPERATOR,
              "A new key for members' tokens: shown at once, signs in ten minutes; the one before still verifies",
              response=_SIG + "SigningKeysAnswer"),
        route("GET", "/v1/audit", "list_audit", AUDIT, "Who did what to whom, the newest first",
              response=_AUD + "EntryPage", query=_AUDIT_QUERY),
        route("GET", "/v1/audit/seals", "list_seals", AUDIT, "The seals over it, the newest first", response=_AUD + "SealPage", query=PAGE),
        route("GET", "/v1/tenants/{tenant_id}/audit", "list_audit_of_tenant", OPERATOR,
              "A tenant's audit log; that of the stage itself by the id operator", response=_AUD + "EntryPage", query=_AUDIT_QUERY),
        route("GET", "/v1/stops", "get_stops", "tenant:stop", "The tenant's emergency stops", response=_STO + "StopsAnswer"),
        route("PUT", "/v1/stops", "set_stops", "tenant:stop", "Set all emergency stops at once; hold everywhere within 60 seconds",
              request=_STO + "Stops", response=_STO + "StopsAnswer"),
        route("GET", "/v1/tenants/{tenant_id}/stops", "get_stops_of_tenant", "operator", "A tenant's emergency stops",
              response=_STO + "StopsAnswer"),
        route("PUT", "/v1/tenants/{tenant_id}/stops", "set_stops_of_tenant", "operator", "Set a tenant's emergency stops",
              request=_STO + "Stops", response=_STO + "StopsAnswer"),
        route("POST", "/v1/tenants/{tenant_id}/webhooks/{name}/secret", "show_webhook_secret", "operator",
              "The signing secret of a webhook, in its current version", response=_TEN + "WebhookSecretAnswer", audit="order"),
    ]
