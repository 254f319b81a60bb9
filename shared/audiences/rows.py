"""Members' rows: states in, columns out. Personal fields are opened here, a member at a time, for who may see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.audiences.columns import Column, Subject, Value, shown
from shared.kernel.instants import Instant
from shared.member_state.model import MemberState
from shared.members.repository import MemberRepository
from shared.privacy.crypto import Undecipherable
from shared.segments.context import Context
from shared.snapshots.loading import get_patiently
from shared.storage import keys
from shared.storage.items import WrappedKeyItem
from shared.tenants.scope import TenantScope

Row = dict[str, Value]
_TOGETHER = 100


@dataclass
class Rows:
    """Makes rows for one answer or file. ``left_out`` counts whose key is gone: of her nothing personal can be told, so no row is."""

    scope: TenantScope
    columns: Sequence[Column]
    now: Instant
    context: Context
    left_out: int = field(default=0, init=False)

    def of(self, states: Sequence[MemberState]) -> list[tuple[str, Row]]:
        """(member, row) in the order given. With personal columns 1 read unit of the profile and 1 of her key for each; else nothing."""
        served = {id_: each.version for id_, each in self.scope.definitions.at(self.now).served_segments.items()}
        personal = any(column.personal for column in self.columns)
        found: list[tuple[str, Row]] = []
        for start in range(0, len(states), _TOGETHER):
            chunk = states[start : start + _TOGETHER]
            opened = self._opened([state.member for state in chunk]) if personal else {}
            for state in chunk:
                if personal and state.member not in opened:
                    self.left_out += 1
                    continue
                subject = Subject(state, self.now, self.context, served, opened.get(state.member, {}))
                found.append((state.member, shown(self.columns, subject)))
        return found

    def _opened(self, members: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """The personal fields of those whose key is there. Two batch reads."""
        scope, tenant = self.scope, self.scope.tenant
        wrapped = get_patiently(scope, scope.key_table, [keys.member_key(tenant, member) for member in members])
        profiles = get_patiently(scope, scope.table, [keys.profile(tenant, member) for member in members])
        opened: dict[str, Mapping[str, str]] = {}
        for member in members:
            raw = wrapped.get(keys.member_key(tenant, member))
            if raw is None:
                continue
            stored = MemberRepository.decode_profile(profiles.get(keys.profile(tenant, member)))
            cipher = scope.tenant_keys.member(tenant, member, WrappedKeyItem.read(raw).wrapped)
            try:
                opened[member] = stored.fields(cipher)
            except Undecipherable:
                continue
        return opened
