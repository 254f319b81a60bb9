"""Why a member is in a segment, or is not: the tree with what each leaf looked at."""

from __future__ import annotations

from shared.kernel.instants import NEVER, format_rfc3339
from shared.member_state.model import segment_key
from shared.member_state.repository import StateRepository
from shared.member_state.service import peek
from shared.members.errors import UnknownSegment
from shared.segments.api import WhyAnswer, WhyNode
from shared.segments.model import SegmentDefinition
from shared.segments.rules import Why, explain
from shared.tenants.scope import TenantScope


def explain_membership(scope: TenantScope, member: str, segment: str) -> WhyAnswer:
    """The served version of the segment, asked about the member as of now. 1 Query, and 1 read where she has personal facts."""
    now = scope.clock()
    view = scope.definitions.at(now)
    served = view.served_segments.get(segment)
    if served is None:
        raise UnknownSegment
    loaded = StateRepository(scope.tenant, scope.table).load(member)
    state = peek(scope, loaded, now)
    facts = loaded.facts(scope.cipher(state.member)) if loaded.sealed_facts is not None else None
    definition = SegmentDefinition.model_validate({**served.body, "id": served.id, "version": served.version})
    why = explain(definition, state, facts, now, view.settings.time_zone)
    inside = segment_key(served.id, served.version) in state.segments
    return WhyAnswer(segment=served.id, version=served.version, member_id=state.member, inside=inside, why=_node(why))


def _node(why: Why) -> WhyNode:
    return WhyNode(
        asked=why.asked,
        value=why.value,
        truth="unknown" if why.truth is None else "true" if why.truth else "false",
        valid_until=None if why.valid_until >= NEVER else format_rfc3339(why.valid_until),
        children=tuple(_node(child) for child in why.children),
    )
