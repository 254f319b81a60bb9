"""Programmes, offers, promotions, segments and campaigns: write a draft, publish it from an instant on, retire it.

A version that is published never changes; replacing it writes the next draft. What is published or retired takes effect
at least two cache times later, so that every function knows of it before it holds.

The epoch of a segment's version is the instant of its switch: whatever is published or retired later for an earlier instant
cannot overtake it, and a member whose epoch is lower than the present one has missed a switch.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace as changed
from typing import Any, Final

from pydantic import BaseModel

from shared.coupons.promotions import MOST_IN_FORCE
from shared.definitions.api import DefinitionRequest
from shared.definitions.drafting import check_draft
from shared.definitions.errors import (
    BrokenReference,
    DefinitionExists,
    LimitLowered,
    NothingToPublish,
    TooEarly,
    TooManyPromotions,
    UnknownDefinition,
)
from shared.definitions.linting import refuse_errors
from shared.definitions.model import Definition, DefinitionSet, Kind
from shared.definitions.raising import lowered
from shared.definitions.references import broken_references, named_media, named_offers, unreadable
from shared.definitions.repository import DefinitionRepository
from shared.definitions.segment_references import nesting_problems
from shared.definitions.sizes import check_room
from shared.kernel.errors import FieldError, PreconditionFailed, Unprocessable
from shared.kernel.ids import NAME_PATTERN
from shared.kernel.instants import NEVER, Instant, format_rfc3339, parse_rfc3339
from shared.kernel.pages import open_cursor, seal_cursor
from shared.media.repository import MediaRepository
from shared.member_state.effects import DomainEvent
from shared.member_state.repository import Stamp, envelope
from shared.programmes.model import ProgrammeBody
from shared.storage.commit import Plan, Stale, commit
from shared.storage.noting import aside
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope

OnPublish = Callable[[TenantScope, Definition], None]
"""What a kind needs to be there before a version is published. Called again when a publication is repeated; must be repeatable."""
_NAME: Final = re.compile(NAME_PATTERN)
_RETIRED_AT_ONCE: Final = 20
"""Versions retired in one transaction."""


def lead(cache_seconds: float) -> int:
    """How far ahead a change takes effect, in milliseconds: two cache times."""
    return int(2000 * cache_seconds)


def create(scope: TenantScope, kind: Kind, request: DefinitionRequest[Any]) -> Definition:
    """A draft, version 1. ``DefinitionExists`` if the id is taken, also by a retired one; ``PlanLimit``. One Query and one write."""
    body, repository = stored_body(request.definition), scope.repository
    check_room(scope, kind)
    check_draft(scope, kind, request.definition, body)
    id_ = request.id or id_of_name(body["name"])
    definition = Definition(kind, id_, 1, "draft", body, changed_at=scope.clock())

    def plan(stale: Stale) -> Plan[Definition]:
        if stale:
            raise DefinitionExists(f"There is a {kind} {id_}.")
        batch = WriteBatch()
        repository.add_new(batch, definition)
        return Plan(batch, definition)

    return commit(scope.table, plan, effort=scope.effort())


def get(scope: TenantScope, kind: Kind, id_: str) -> Definition:
    """The newest version, whatever its status. One read."""
    found = scope.repository.newest(kind, id_) if _NAME.fullmatch(id_) else None
    if found is None:
        raise UnknownDefinition
    return found


def page(scope: TenantScope, kind: Kind, limit: int, cursor: str | None, key: bytes, *, waiting: bool = False) -> dict[str, Any]:
    """Newest versions by id. Offers by the page; of others the tenant's definitions are read whole: they are few.

    ``waiting``: only the newest published versions, and of these what waits for approval; a draft may have been written beside it.
    """
    context = f"{scope.tenant}|{kind}" + ("|waiting" if waiting else "")
    after = open_cursor(key, context, cursor)["after"] if cursor else ""
    if kind == "offer":
        found, more = scope.repository.page_of_offers(after, limit)
    else:
        found, more = _page_of_the_whole(scope, kind, after, limit, waiting=waiting)
    answer: dict[str, Any] = {"data": [answer_of(each) for each in found]}
    if more:
        answer["next_cursor"] = seal_cursor(key, context, {"after": found[-1].id})
    return answer


def _page_of_the_whole(scope: TenantScope, kind: Kind, after: str, limit: int, *, waiting: bool) -> tuple[list[Definition], bool]:
    newest: dict[str, Definition] = {}
    for each in scope.repository.load().definitions:
        is_asked_for = each.kind == kind and each.id > after and (each.status == "published" or not waiting)
        if is_asked_for and (each.id not in newest or newest[each.id].version < each.version):
            newest[each.id] = each
    ids = sorted(id_ for id_, each in newest.items() if each.wanted_from is not None or not waiting)
    return [newest[id_] for id_ in ids[:limit]], len(ids) > limit


def replace(scope: TenantScope, kind: Kind, id_: str, request: DefinitionRequest[Any], if_match: str) -> Definition:
    """Write a draft: over the draft that was read, or as the next version of one that is published or retired.

    ``PreconditionFailed`` if the newest version is not the one that was read.
    """
    if request.id is not None and request.id != id_:
        raise Unprocessable("The id cannot be changed.", errors=(FieldError("/id", "invalid_value", "the id in the path, or none"),))
    before, repository = get(scope, kind, id_), scope.repository
    if if_match != before.etag:
        raise PreconditionFailed
    body, now = stored_body(request.definition), scope.clock()
    check_draft(scope, kind, request.definition, body)
    rewritten = before.status == "draft"
    if rewritten:
        after = changed(before, body=body, revision=before.revision + 1, changed_at=now)
    else:
        after = Definition(kind, id_, before.version + 1, "draft", body, changed_at=now)

    def plan(stale: Stale) -> Plan[Definition]:
        if stale:
            raise PreconditionFailed
        batch = WriteBatch()
        if rewritten:
            repository.add_rewrites(batch, [(before, after)])
        else:
            repository.add_check(batch, before)
            repository.add_new(batch, after)
        return Plan(batch, after)

    return commit(scope.table, plan, effort=scope.effort())


def publish(
    scope: TenantScope,
    kind: Kind,
    id_: str,
    effective_from: str | None,
    cache_seconds: float,
    *,
    hooks: Mapping[Kind, OnPublish],
    accept: Collection[str] = (),
    correlation: str = "",
    actor: str = "",
) -> Definition:
    """Publish the draft. Repeating it answers the published version; ``NothingToPublish`` where there is no draft.

    A campaign of a tenant that wants a second person's approval waits for it: it holds from no instant until then
    (``shared.definitions.approving``), and ``definition.approval_requested`` is told.

    A programme in which the linter finds errors is refused with ``LintFailed``, but for those whose codes are in ``accept``.

    Two Queries, what the kind needs, and one write that carries ``definition.published``.
    """
    known, newest = _known(scope, kind, id_)
    at = None if effective_from is None else parse_rfc3339(effective_from)
    if newest.status != "draft":
        repeated = newest.status == "published" and at in (None, newest.effective_from, newest.wanted_from)
        if not repeated:
            raise NothingToPublish
        return newest
    since = _effective(known, newest, at, scope.clock() + lead(cache_seconds))
    check(scope, known, newest, since, accept)
    published = changed(_as_published(known, newest, since, scope.clock()), published_by=actor)
    waits = kind == "campaign" and known.settings.messaging.approval
    if waits:
        published = changed(published, effective_from=None, epoch=0, wanted_from=since)
    if kind in hooks:
        with aside():
            hooks[kind](scope, published)
    return rewrite(scope, newest, published, (_request_of(published) if waits else told_of(published),), correlation)


def _request_of(published: Definition) -> DomainEvent:
    """That somebody else has to look at a version."""
    data = {"kind": published.kind, "id": published.id, "version": published.version, "actor": published.published_by}
    return DomainEvent("definition.approval_requested", published.changed_at, data)


def told_of(published: Definition) -> DomainEvent:
    """That a version is published and will hold."""
    data = _event_data(published, published.epoch) | {"effective_from": published.effective_from or 0}
    return DomainEvent("definition.published", published.changed_at, data)


def check(scope: TenantScope, known: DefinitionSet, draft: Definition, since: Instant, accept: Collection[str]) -> None:
    """Whether the draft may hold from ``since`` on, beside everything else that does; each refusal lists all that is wrong."""
    missing = (*broken_references(known, draft.kind, draft.body, since), *unreadable(known, draft.kind, draft.body))
    missing += _missing_images(scope, draft)
    if draft.kind == "segment" and not missing:
        missing += nesting_problems(known, draft.id, draft.body, since)
    if missing:
        raise BrokenReference("The definition names or lacks what does not exist; see errors.", errors=missing)
    versions = (each for each in known.definitions if (each.kind, each.id) == (draft.kind, draft.id))
    lower = lowered((each.body for each in versions if each.effective_from is not None), draft.body)
    if lower:
        raise LimitLowered("Limits that all share may only be raised; see errors.", errors=lower)
    if draft.kind == "programme":
        refuse_errors(scope, known, draft.id, ProgrammeBody.model_validate(draft.body), since, accept)
    if draft.kind == "promotion":
        _refuse_too_many(known, draft.id, since)


def _missing_images(scope: TenantScope, draft: Definition) -> tuple[FieldError, ...]:
    """Images that it names and that are not there. One batch read where it names any."""
    named = named_media(draft.kind, draft.body)
    ready = MediaRepository(scope.tenant, scope.table).ready({id_ for _, id_ in named}) if named else frozenset()
    return tuple(FieldError(pointer, "unknown_media", "there is no such image") for pointer, id_ in named if id_ not in ready)


def retire(scope: TenantScope, kind: Kind, id_: str, cache_seconds: float, *, correlation: str = "") -> Definition:
    """Let every version end two cache times from now. Repeating it changes nothing. One Query and one write, mostly."""
    known, newest = _known(scope, kind, id_)
    if newest.status == "retired":
        return newest
    now = scope.clock()
    until = now + lead(cache_seconds)
    running = sorted(
        (each for each in known.definitions if (each.kind, each.id) == (kind, id_) and each.status == "published"),
        key=lambda each: each.version,
    )
    if not running:
        return rewrite(scope, newest, changed(newest, status="retired", revision=newest.revision + 1, changed_at=now), (), "")
    *older, last = running
    for start in range(0, len(older), _RETIRED_AT_ONCE):
        _retire_all(scope, older[start : start + _RETIRED_AT_ONCE], now, until)
    if newest.status == "draft":
        rewrite(scope, newest, changed(newest, status="retired", revision=newest.revision + 1, changed_at=now), (), "")
    ended = _as_retired(last, now, until)
    if kind == "segment":
        ended = changed(ended, retired_epoch=until)
    data = _event_data(ended, ended.retired_epoch) | {"retired_from": until}
    return rewrite(scope, last, ended, (DomainEvent("definition.retired", now, data),), correlation)


def answer_of(definition: Definition) -> dict[str, Any]:
    """A version as the API answers it."""
    answer: dict[str, Any] = {
        "id": definition.id,
        "kind": definition.kind,
        "version": definition.version,
        "status": definition.status,
        "etag": definition.etag,
        "definition": dict(definition.body),
        "changed_at": format_rfc3339(definition.changed_at),
    }
    if definition.effective_from is not None:
        answer["effective_from"] = format_rfc3339(definition.effective_from)
    if definition.retired_from is not None:
        answer["retired_from"] = format_rfc3339(definition.retired_from)
    if definition.wanted_from is not None:
        answer["awaits_approval"] = True
    names = {"published_by": definition.published_by, "approved_by": definition.approved_by}
    answer |= {name: who for name, who in names.items() if who}
    return answer


def stored_body(model: BaseModel) -> dict[str, Any]:
    """A checked body as it was sent: without what the sender left to the defaults."""
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


def id_of_name(name: str) -> str:
    """An id made from a name: ``Über 50 €`` -> ``uber-50``."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    id_ = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].strip("-")
    if not id_:
        hint = FieldError("/id", "required", "no id can be made from this name")
        raise Unprocessable("Send an id.", errors=(hint,))
    return id_


def _known(scope: TenantScope, kind: Kind, id_: str) -> tuple[DefinitionSet, Definition]:
    """Everything that the newest version is checked against: it names offers, or is one."""
    newest = get(scope, kind, id_)
    offers = named_offers(kind, newest.body) | ({id_} if kind == "offer" else set())
    return scope.repository.load(offers), newest


def _effective(known: DefinitionSet, draft: Definition, wanted: Instant | None, earliest: Instant) -> Instant:
    """From when on: not before every function knows, and not before the version that it replaces."""
    others = [each.effective_from or 0 for each in known.definitions if (each.kind, each.id) == (draft.kind, draft.id)]
    earliest = max([earliest, *others])
    if wanted is not None and wanted < earliest:
        hint = FieldError("/effective_from", "too_early", f"not before {format_rfc3339(earliest)}")
        raise TooEarly("Every function must know of it before it holds.", errors=(hint,))
    return earliest if wanted is None else wanted


def _refuse_too_many(known: DefinitionSet, id_: str, since: Instant) -> None:
    """``TooManyPromotions`` if as many others are in force then, or will be later."""
    others = {
        each.id
        for each in known.definitions
        if each.kind == "promotion" and each.id != id_ and each.effective_from is not None and (each.retired_from or NEVER) > since
    }
    if len(others) >= MOST_IN_FORCE:
        raise TooManyPromotions(f"At most {MOST_IN_FORCE} promotions are in force at a time; retire one first.")


def _as_published(known: DefinitionSet, draft: Definition, since: Instant, now: Instant) -> Definition:
    published = changed(draft, status="published", revision=draft.revision + 1, changed_at=now, effective_from=since)
    if begins_by_itself(draft.kind, draft.body):
        return changed(published, epoch=since)
    if draft.kind != "segment":
        return published
    replaces_another = any((each.kind, each.id) == ("segment", draft.id) and each.holds_at(since) for each in known.definitions)
    # The first version has no listing to swap with: it is served from the start.
    return changed(published, epoch=since, served_at=None if replaces_another else since)


def begins_by_itself(kind: Kind, body: Mapping[str, Any]) -> bool:
    """Whether a definition does something for members to whom nothing else happens, so that their timers must learn of it: a programme
    with tiers, birthdays or automatic conversions, and a campaign that begins on dates.
    """
    if kind == "campaign":
        return (body.get("trigger") or {}).get("kind") == "date"
    if kind != "programme":
        return False
    on_birthdays = any(bonus["on"] == "birthday" for bonus in body.get("bonuses") or ())
    converts = any(conversion.get("automatic") for conversion in body.get("conversions") or ())
    return bool(body.get("tiers")) or on_birthdays or converts


def _as_retired(definition: Definition, now: Instant, until: Instant) -> Definition:
    return changed(definition, status="retired", revision=definition.revision + 1, changed_at=now, retired_from=until, wanted_from=None)


def _event_data(definition: Definition, epoch: int) -> dict[str, object]:
    return {"kind": definition.kind, "id": definition.id, "version": definition.version, "epoch": epoch}


def _retire_all(scope: TenantScope, versions: list[Definition], now: Instant, until: Instant) -> None:
    """End superseded versions, so that none comes back when the newest ends. No events: they did not hold any more."""

    def plan(stale: Stale) -> Plan[None]:
        if stale:
            raise PreconditionFailed("The definition was changed at the same time.")
        batch = WriteBatch()
        scope.repository.add_rewrites(batch, [(each, _as_retired(each, now, until)) for each in versions])
        return Plan(batch, None)

    commit(scope.table, plan, effort=scope.effort())


def rewrite(scope: TenantScope, before: Definition, after: Definition, events: Sequence[DomainEvent], correlation: str) -> Definition:
    """Write a version over the one that was read, and tell. ``PreconditionFailed`` if it was changed meanwhile. One write."""
    repository: DefinitionRepository = scope.repository
    media = MediaRepository(scope.tenant, scope.table)
    out = envelope(list(events), Stamp(scope.clock(), correlation))
    images = {id_ for _, id_ in named_media(after.kind, after.body)} if after.status == "published" else set()

    def plan(stale: Stale) -> Plan[Definition]:
        if stale:
            raise PreconditionFailed("The definition, or an image that it names, was changed at the same time.")
        batch = WriteBatch()
        repository.add_rewrites(batch, [(before, after)], out)
        for image in sorted(images):
            media.add_check(batch, image)
        return Plan(batch, after)

    done = commit(scope.table, plan, effort=scope.effort())
    scope.cache.forget(scope.tenant)
    return done
