"""Tenants, their keys, staff and stops, push applications and signing keys: what the operator does, and a tenant's own owner."""

from __future__ import annotations

from functools import cache
from typing import Any

from functions.tenancy.settings import push_events_topic, removals_queue_url, staff_pool_id, tenancy_settings
from shared.audit import asking
from shared.audit.repository import AuditRepository
from shared.aws.platform_applications import SnsApplications
from shared.aws.queues import SqsQueue
from shared.aws.runtime import NamedTenant, Runtime
from shared.aws.staff_pool import CognitoPool
from shared.http.app import Answer, HttpApp, LambdaContext, Request, etag
from shared.privacy.crypto import derive
from shared.storage import keys
from shared.tenants import api_keys, apple_client, channels, removal, signing, staff_desk, stopping, testing
from shared.tenants import service as tenants
from shared.tenants.api import PushRequest, TenantRequest
from shared.tenants.keys_api import KeyRequest, RotateRequest
from shared.tenants.keys_repository import PEPPER_PURPOSE
from shared.tenants.removal_api import RemovalRequest
from shared.tenants.scope import TenantScope
from shared.tenants.staff_api import StaffChange, StaffRequest
from shared.tenants.stops import Stops

app = HttpApp("tenancy")


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(tenancy_settings())


app.limit(lambda: runtime())  # noqa: PLW0108 - looked up with each call, as everything here that is wired


def lambda_handler(event: dict[str, Any], context: LambdaContext | None = None) -> dict[str, Any]:
    """A request from the gateway."""
    runtime().begin(context)
    return app.handle(event, context)


def _scope(request: Request) -> TenantScope:
    return runtime().scope(request.principal)


def _operator() -> tenants.Operator:
    return tenants.Operator(
        table=runtime().table,
        scope_of=_scope_of,
        new_key=runtime().new_wrapped_key,
        master=lambda: runtime().master_secret,
    )


def _scope_of(tenant: str) -> TenantScope:
    return runtime().scope(NamedTenant(tenant))


def _cursors() -> bytes:
    return tenants.cursor_key(runtime().master_secret)


@app.operation("create_tenant")
def create_tenant(request: Request) -> Answer:
    """POST /v1/tenants."""
    answer = tenants.create_tenant(_operator(), request.parse(TenantRequest))
    return Answer(body=answer, headers={"etag": etag(answer.etag)})


@app.operation("list_tenants")
def list_tenants(request: Request) -> Answer:
    """GET /v1/tenants."""
    return Answer(body=tenants.list_tenants(_operator(), request.page_limit(), request.cursor, request.query.get("mode")))


@app.operation("create_test_tenant")
def create_test_tenant(request: Request) -> Answer:
    """POST /v1/tenants/{tenant_id}/test."""
    answer, is_new = testing.create_test_tenant(_operator(), request.path["tenant_id"])
    return Answer(body=answer, status=None if is_new else 200, headers={"etag": etag(answer.etag)})


@app.operation("get_tenant")
def get_tenant(request: Request) -> Answer:
    """GET /v1/tenants/{tenant_id}."""
    answer = tenants.get_tenant(_operator(), request.path["tenant_id"])
    return Answer(body=answer, headers={"etag": etag(answer.etag)})


@app.operation("replace_tenant")
def replace_tenant(request: Request) -> Answer:
    """PUT /v1/tenants/{tenant_id}."""
    body = request.parse(TenantRequest)
    answer = tenants.replace_tenant(_operator(), request.path["tenant_id"], body, request.if_match or "")
    return Answer(body=answer, headers={"etag": etag(answer.etag)})


@app.operation("remove_tenant")
def remove_tenant(request: Request) -> Answer:
    """DELETE /v1/tenants/{tenant_id}."""
    body, queue = request.parse(RemovalRequest), SqsQueue(runtime().client("sqs"), removals_queue_url())
    tenant, actor, now = request.path["tenant_id"], request.principal.id, runtime().now()
    return Answer(body=testing.order_removal(runtime().table, lambda of: _scope_of(of).table, tenant, body, actor, queue, now))


@app.operation("get_removal")
def get_removal(request: Request) -> Answer:
    """GET /v1/tenants/{tenant_id}/removal."""
    return Answer(body=removal.show(runtime().table, request.path["tenant_id"]))


def _keys(request: Request) -> api_keys.KeyDesk:
    """A tenant's keys: those of the one that the operator names, or of the caller's own as far as its own key reaches."""
    pepper, named = derive(runtime().master_secret, PEPPER_PURPOSE), request.path.get("tenant_id")
    if named is not None:
        return api_keys.KeyDesk(_named(named), pepper)
    scope = _scope(request)
    return api_keys.KeyDesk(scope, pepper, api_keys.reach_of(scope, request.principal))


@app.operation("list_keys", "list_own_keys")
def list_keys(request: Request) -> Answer:
    """GET /v1/keys, and of any tenant by the operator; so are the next."""
    return Answer(body=api_keys.page(_keys(request), request.page_limit(), request.cursor, _cursors()))


@app.operation("create_key", "create_own_key")
def create_key(request: Request) -> Answer:
    """POST /v1/keys."""
    return Answer(body=api_keys.create(_keys(request), request.parse(KeyRequest)))


@app.operation("rotate_key", "rotate_own_key")
def rotate_key(request: Request) -> Answer:
    """POST /v1/keys/{key_id}/rotate. The body may be left out."""
    body = request.parse(RotateRequest) if request.body else RotateRequest()
    return Answer(body=api_keys.rotate(_keys(request), request.path["key_id"], body))


@app.operation("revoke_key", "revoke_own_key")
def revoke_key(request: Request) -> Answer:
    """DELETE /v1/keys/{key_id}."""
    api_keys.revoke(_keys(request), request.path["key_id"])
    return Answer()


def _staff(request: Request) -> staff_desk.StaffDesk:
    """The caller's own staff, as far as its own rights reach."""
    scope, caller, home = _scope(request), request.principal, runtime()
    reach = api_keys.reach_of(scope, caller)
    return staff_desk.StaffDesk(scope, CognitoPool(home.client("cognito-idp"), staff_pool_id()), reach, caller.id, home.real_now)


@app.operation("list_staff")
def list_staff(request: Request) -> Answer:
    """GET /v1/staff."""
    return Answer(body=staff_desk.page(_staff(request), request.page_limit(), request.cursor, _cursors()))


@app.operation("invite_staff")
def invite_staff(request: Request) -> Answer:
    """POST /v1/staff."""
    desk, body, call = _staff(request), request.parse(StaffRequest), request.idempotency_key
    if call is not None:
        desk = staff_desk.for_call(desk, derive(runtime().master_secret, staff_desk.INVITATIONS), call, body)
        before = staff_desk.invited_before(desk, body)
        if before is not None:
            return Answer(200, before, {"idempotent-replayed": "true"})
    return Answer(body=staff_desk.invite(desk, body))


@app.operation("change_staff")
def change_staff(request: Request) -> Answer:
    """PATCH /v1/staff/{staff_id}."""
    return Answer(body=staff_desk.change(_staff(request), request.path["staff_id"], request.parse(StaffChange)))


@app.operation("remove_staff")
def remove_staff(request: Request) -> Answer:
    """DELETE /v1/staff/{staff_id}."""
    staff_desk.remove(_staff(request), request.path["staff_id"])
    return Answer()


@app.operation("get_signing_keys", "rotate_signing_keys")
def signing_keys(request: Request) -> Answer:
    """GET /v1/signing-keys; POST /v1/signing-keys/rotate."""
    work = signing.show if request.operation == "get_signing_keys" else signing.rotate
    return Answer(body=work(runtime().table, runtime().master_secret, runtime().now()))


@app.operation("set_push_application")
def set_push_application(request: Request) -> Answer:
    """PUT /v1/tenants/{tenant_id}/push/{platform}."""
    applications = SnsApplications(runtime().client("sns"), runtime().settings.stage, push_events_topic())
    body = request.parse(PushRequest)
    return Answer(body=channels.set_push(_operator(), applications, request.path["tenant_id"], request.path["platform"], body))


@app.operation("set_apple_client")
def set_apple_client(request: Request) -> Answer:
    """PUT /v1/tenants/{tenant_id}/apple."""
    apple_client.store_client(_named(request.path["tenant_id"]), request.parse(apple_client.AppleClientRequest))
    return Answer()


@app.operation("show_webhook_secret")
def show_webhook_secret(request: Request) -> Answer:
    """POST /v1/tenants/{tenant_id}/webhooks/{name}/secret."""
    return Answer(body=channels.webhook_secret(_operator(), request.path["tenant_id"], request.path["name"]))


@app.operation("get_stops", "get_stops_of_tenant")
def get_stops(request: Request) -> Answer:
    """GET /v1/stops, and of any tenant by the operator."""
    return Answer(body=stopping.get_stops(_stops_scope(request)))


@app.operation("set_stops", "set_stops_of_tenant")
def set_stops(request: Request) -> Answer:
    """PUT /v1/stops, and of any tenant by the operator."""
    stops = request.parse(Stops)
    return Answer(body=stopping.set_stops(_stops_scope(request), stops, request.principal.id, request.correlation_id))


def _stops_scope(request: Request) -> TenantScope:
    named = request.path.get("tenant_id")
    return _scope(request) if named is None else _named(named)


@app.operation("list_audit", "list_audit_of_tenant")
def list_audit(request: Request) -> Answer:
    """GET /v1/audit, and of any tenant by the operator."""
    query, member = request.query, request.query.get("member_id")
    members = _ids_of(request, member) if member is not None else None
    wanted = asking.asked(runtime().now(), query.get("from"), query.get("until"), query.get("actor"), members, query.get("operation"))
    return Answer(body=asking.page(_noted(request), wanted, request.page_limit(), request.cursor, _cursors()))


@app.operation("list_seals")
def list_seals(request: Request) -> Answer:
    """GET /v1/audit/seals."""
    return Answer(body=asking.seals(_noted(request), request.page_limit(), request.cursor, _cursors()))


def _ids_of(request: Request, member: str) -> frozenset[str]:
    """A call about her may have named any of her ids; nobody is a member of the stage."""
    # Here: nothing else of this function asks what a member is.
    from shared.erasure.ids import ids_of

    named = request.path.get("tenant_id")
    if named == keys.OPERATOR:
        return frozenset({member})
    return ids_of(_scope(request) if named is None else _named(named), member)


def _noted(request: Request) -> AuditRepository:
    """The caller's own audit log, that of the tenant that the operator names, or the operator's own."""
    named = request.path.get("tenant_id")
    if named == keys.OPERATOR:
        return AuditRepository(named, runtime().table)
    scope = _scope(request) if named is None else _named(named)
    return AuditRepository(scope.tenant, scope.table)


def _named(tenant: str) -> TenantScope:
    """The scope of a tenant that the operator names."""
    tenants.check_entry(_operator(), tenant)
    return _scope_of(tenant)
