"""Wiring of a function: one ``Runtime`` per execution environment, made when the first event comes.

Scopes for principals carry the tenant's own session (the second fence): a role that is assumed with an inline session
policy whose ``dynamodb:LeadingKeys`` is the tenant's literal prefix (docs/adr/0005). Clients are made when first used.
"""

from __future__ import annotations

import gc
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

from botocore.config import Config

from shared.aws.settings import Settings
from shared.kernel.instants import NEVER, Instant
from shared.limits.buckets import TableBuckets
from shared.storage import keys, noting
from shared.storage.commit import Effort
from shared.storage.items import ClockItem
from shared.storage.table import Credentials, Table, botocore_session

if TYPE_CHECKING:
    from shared.definitions.cache import DefinitionCache
    from shared.privacy.keyring import TenantKeys
    from shared.tenants.scope import TenantScope, Unwrap

_SESSION_SECONDS: Final = 3600
_RENEW_BEFORE: Final = 600
_MAX_SESSIONS: Final = 64


class HasTenant(Protocol):
    """A verified principal, as far as scopes go."""

    @property
    def tenant(self) -> str: ...


class RemainingTime(Protocol):
    """The part of Lambda's context that is used here."""

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(frozen=True, slots=True)
class _TenantSession:
    """What one tenant's session may touch, until when (seconds)."""

    until: float
    table: Table
    key_table: Table
    unwrap: Unwrap
    credentials: Credentials | None = None


@dataclass(frozen=True, slots=True)
class NamedTenant:
    """A tenant named by our own message or by the operator: its scope still carries that tenant's session and no other."""

    tenant: str


def session_policy(tenant: str, table_arns: list[str]) -> str:
    """The inline policy of a tenant's session: its own partitions, and never a Scan (a Scan has no leading keys to check)."""
    actions = ["GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"]
    statement = {
        "Effect": "Allow",
        "Action": [f"dynamodb:{action}" for action in actions],
        "Resource": [*table_arns, *(f"{arn}/index/*" for arn in table_arns)],
        "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{keys.prefix(tenant)}*"]}},
    }
    kms = {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext"], "Resource": "*"}
    kms["Condition"] = {"StringEquals": {"kms:EncryptionContext:tenant": tenant}}  # type: ignore[assignment]
    return json.dumps({"Version": "2012-10-17", "Statement": [statement, kms]}, separators=(",", ":"))


class Runtime:
    """Clients, tables, clock and scopes of one function."""

    def __init__(self, settings: Settings, wall: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._wall = wall
        self._sessions: OrderedDict[str, _TenantSession] = OrderedDict()
        self._keyrings: dict[str, TenantKeys] = {}
        self._offset: int | None = None
        self._context: RemainingTime | None = None
        # What is imported by now stays for ever: the collector need not walk it again in every request.
        gc.freeze()

    # -- the invocation ---------------------------------------------------------------------------------------------

    def begin(self, context: RemainingTime | None) -> None:
        """Call first in every invocation: the clock of a local stage is read once per invocation, and time left is known."""
        self._context = context
        self._offset = None
        noting.set_clock(self.now)

    def now(self) -> Instant:
        """The present. Deployed stages have no movable clock: the offset is only read where ``LOCAL_CLOCK`` is set."""
        if self._offset is None:
            self._offset = self._read_offset() if self.settings.local_clock else 0
        return int(self._wall() * 1000) + self._offset

    def _read_offset(self) -> int:
        raw = self.table.get(keys.clock(), consistent=True)
        return 0 if raw is None else int(ClockItem.read(raw).offset)

    def effort(self) -> Effort:
        """How a commit of this invocation may try."""
        context = self._context
        return Effort(time_left_ms=context.get_remaining_time_in_millis if context else lambda: 5000, sleep=time.sleep)

    # -- clients ----------------------------------------------------------------------------------------------------

    def client(self, service: str) -> Any:  # a botocore client; they have no static type here
        """A client of another service, made once."""
        if service not in self._clients:
            config = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 3, "mode": "standard"})
            self._clients[service] = botocore_session().create_client(
                service, region_name=self.settings.region, endpoint_url=self.settings.endpoint, config=config
            )
        return self._clients[service]

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    @cached_property
    def table(self) -> Table:
        """The main table under the function's own role (workers; the operator's items; the local clock)."""
        return Table(self.settings.table, self.settings.region, self.settings.endpoint)

    @cached_property
    def key_table(self) -> Table:
        """The keys table under the function's own role."""
        return Table(self.settings.keys_table, self.settings.region, self.settings.endpoint, noted=False)

    @cached_property
    def master_secret(self) -> bytes:
        """The secret that signing, cursor and pepper keys are derived from. One call per execution environment."""
        return self.secret(self.settings.master_secret_arn)

    def secret(self, arn: str) -> bytes:
        """A secret's current value."""
        value: str = self.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        return value.encode()

    # -- scopes -----------------------------------------------------------------------------------------------------

    def scope(self, principal: HasTenant) -> TenantScope:
        """The scope of a verified principal, under the tenant's own session."""
        session = self._tenant_session(principal.tenant)
        return self._scope(principal.tenant, session.table, session.key_table, session.unwrap)

    def buckets(self, tenant: str) -> TableBuckets:
        """Where a tenant's calls are counted, under its own session; the operator's in its own partition, under the function's role."""
        table = self.table if tenant == keys.OPERATOR else self._tenant_session(tenant).table
        return TableBuckets(table.hasty)

    def real_now(self) -> Instant:
        """The present, whatever the clock of a local stage says: rates are about real seconds."""
        return int(self._wall() * 1000)

    def worker_scope(self, tenant: str, *pks: str) -> TenantScope:
        """A scope for a worker, under the function's own role; every partition key of the event must be the tenant's."""
        scope = self._scope(tenant, self.table, self.key_table, self.unwrap)
        for pk in pks:
            scope.own(pk)
        return scope

    @cached_property
    def _cache(self) -> DefinitionCache:
        from shared.definitions.cache import DefinitionCache

        return DefinitionCache(self.settings.definition_seconds, time.monotonic)

    def _scope(self, tenant: str, table: Table, key_table: Table, unwrap: Unwrap) -> TenantScope:
        # Imported here: a scope brings the definitions' models, which the authorizer and the relay never touch.
        from shared.tenants.scope import TenantScope

        return TenantScope(tenant, table, key_table, self.now, self._cache, unwrap, self.effort, self._keyrings, self.settings.media_url)

    def _tenant_session(self, tenant: str) -> _TenantSession:
        role = self.settings.tenant_role_arn
        if role is None:
            return _TenantSession(NEVER, self.table, self.key_table, self.unwrap)
        kept = self._sessions.get(tenant)
        if kept is None or kept.until <= self._wall():
            kept = self._assume(role, tenant)
            self._sessions[tenant] = kept
            if len(self._sessions) > _MAX_SESSIONS:
                self._sessions.popitem(last=False)
        self._sessions.move_to_end(tenant)
        return kept

    def _assume(self, role: str, tenant: str) -> _TenantSession:
        partition, account, region, settings = role.split(":")[1], role.split(":")[4], self.settings.region, self.settings
        names = (settings.table, settings.keys_table)
        answer = self.client("sts").assume_role(
            RoleArn=role,
            RoleSessionName=tenant,
            DurationSeconds=_SESSION_SECONDS,
            Policy=session_policy(tenant, [f"arn:{partition}:dynamodb:{region}:{account}:table/{name}" for name in names]),
            Tags=[{"Key": "tenant", "Value": tenant}],
        )["Credentials"]
        credentials = Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])
        main = Table(settings.table, region, settings.endpoint, credentials)
        key_table = Table(settings.keys_table, region, settings.endpoint, credentials, noted=False)
        return _TenantSession(
            until=self._wall() + _SESSION_SECONDS - _RENEW_BEFORE,
            table=main,
            key_table=key_table,
            unwrap=lambda owner, wrapped: self._decrypt(self._kms(credentials), owner, wrapped),
            credentials=credentials,
        )

    def _kms(self, credentials: Credentials) -> Any:
        """KMS under a tenant's session; made for the first look at the tenant's keys only."""
        return botocore_session().create_client(
            "kms",
            region_name=self.settings.region,
            endpoint_url=self.settings.endpoint,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.token,
        )

    def unwrap(self, tenant: str, wrapped: bytes) -> bytes:
        """A tenant's key, by KMS with the tenant as encryption context, under the function's own role."""
        return self._decrypt(self.client("kms"), tenant, wrapped)

    @staticmethod
    def _decrypt(kms: Any, tenant: str, wrapped: bytes) -> bytes:
        plain: bytes = kms.decrypt(CiphertextBlob=wrapped, EncryptionContext={"tenant": tenant})["Plaintext"]
        return plain

    def new_wrapped_key(self, tenant: str) -> bytes:
        """A fresh key of a tenant, wrapped, under the tenant's own session where there is one."""
        credentials = self._tenant_session(tenant).credentials
        kms = self.client("kms") if credentials is None else self._kms(credentials)
        wrapped: bytes = kms.generate_data_key_without_plaintext(
            KeyId=self.settings.tenant_key_id, KeySpec="AES_256", EncryptionContext={"tenant": tenant}
        )["CiphertextBlob"]
        return wrapped
