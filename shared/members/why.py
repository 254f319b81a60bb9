"""Why a member is in a segment, or is not: the tree with what each leaf looked at."""

from __future__ import annotations

from shared.member_state.model import segment_key
from shared.member_state.repository import StateRepository
from shared.member_state.service import peek
from shared.members.errors import UnknownSegment
from shared.segments.api import WhyAnswer, why_node
from shared.segments.parsing import stored_segment
from shared.segments.rules import explain
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
    definition = stored_segment(served.id, served.version, served.body)
    why = explain(definition, state, facts, now, view.segment_context)
    inside = segment_key(served.id, served.version) in state.segments
    return WhyAnswer(segment=served.id, version=served.version, member_id=state.member, inside=inside, why=why_node(why))
