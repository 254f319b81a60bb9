"""The library of ready campaigns: what there is, and installing one as drafts, all of them or none."""

from __future__ import annotations

import re
from typing import Any, Final

from pydantic import ValidationError

from shared.campaigns.library import api
from shared.campaigns.library.filling import Filling, filled, ids_of, problems, spoken
from shared.campaigns.library.model import CHANNELS, LANGUAGES, Entry, entries
from shared.definitions.api import REQUESTS
from shared.definitions.drafting import check_draft
from shared.definitions.errors import DefinitionExists
from shared.definitions.model import Definition, Kind
from shared.definitions.service import stored_body
from shared.kernel.errors import FieldError, NotFound, Unprocessable
from shared.kernel.ids import NAME_PATTERN
from shared.messaging.port import configured
from shared.storage.commit import Plan, Stale, commit
from shared.storage.table import WriteBatch
from shared.tenants.model import TenantSettings
from shared.tenants.scope import TenantScope

_NAME: Final = re.compile(NAME_PATTERN)


class UnknownEntry(NotFound):
    """No such campaign in the library."""

    code, title = "unknown_library_campaign", "Unknown campaign of the library"


class NotInstallable(Unprocessable):
    """A parameter, a language or the prefix does not fit; ``errors`` points at each."""

    code, title = "not_installable", "Not installable"


def listing() -> api.LibraryAnswer:
    """Every ready campaign. No request."""
    return api.LibraryAnswer(data=tuple(_shown(each) for each in entries().values()))


def install(scope: TenantScope, name: str, request: api.InstallRequest) -> api.InstalledAnswer:
    """Drafts of all its definitions in one transaction. ``DefinitionExists`` names every id that is taken, and then nothing is written.

    Two to four writes, and as many reads where an id is taken.
    """
    entry = entries().get(name)
    if entry is None:
        raise UnknownEntry
    settings = scope.definitions.settings
    languages = _languages(settings, request)
    _check(entry, request)
    channels = {each for each in CHANNELS if (bool(settings.push) if each == "push" else configured(each, settings.messaging))}
    filling = Filling(request.prefix or "", request.parameters, languages, channels)
    now = scope.clock()
    drafts = [Definition(kind, id_, 1, "draft", _checked(scope, kind, body), changed_at=now) for kind, id_, body in filled(entry, filling)]
    _write(scope, drafts)
    made = tuple(api.MadeAnswer(kind=each.kind, id=each.id) for each in drafts)
    return api.InstalledAnswer(name=name, definitions=made, notes=_notes(languages, channels))


def _checked(scope: TenantScope, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
    """The body as it is stored. Each parameter is within its bounds, so what is wrong is that two of them do not go together, or that one
    has braces or control characters in it.
    """
    try:
        definition = REQUESTS[kind].model_validate({"definition": body}).definition
        checked = stored_body(definition)
        check_draft(scope, kind, definition, checked)
    except ValidationError as error:
        said = "; ".join(f"{kind} {'/'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors()[:3])
        raise NotInstallable("These parameters do not go together.", errors=(FieldError("/parameters", "inconsistent", said),)) from None
    except Unprocessable as refusal:
        errors = tuple(FieldError("/parameters", each.code, f"{kind} {each.pointer}: {each.detail}") for each in refusal.errors[:3])
        raise NotInstallable("A text among these parameters can never be sent.", errors=errors) from None
    return checked


def _write(scope: TenantScope, drafts: list[Definition]) -> None:
    repository = scope.repository

    def plan(stale: Stale) -> Plan[None]:
        if stale:
            raise DefinitionExists("Ids are taken; install it with another prefix.", errors=_taken(scope, drafts))
        batch = WriteBatch()
        for each in drafts:
            repository.add_new(batch, each, label=f"{each.kind}:{each.id}")
        return Plan(batch, None)

    commit(scope.table, plan, effort=scope.effort())


def _taken(scope: TenantScope, drafts: list[Definition]) -> tuple[FieldError, ...]:
    there = (each for each in drafts if scope.repository.newest(each.kind, each.id) is not None)
    return tuple(FieldError("/prefix", "definition_exists", f"there is a {each.kind} {each.id}") for each in there)


def _check(entry: Entry, request: api.InstallRequest) -> None:
    found = list(problems(entry, request.parameters))
    if not all(_NAME.fullmatch(each) for each in ids_of(entry, request.prefix or "").values()):
        found.append(FieldError("/prefix", "too_long", "an id would be longer than 48 characters"))
    if found:
        raise NotInstallable("The campaign cannot be installed so; see errors.", errors=tuple(found))


def _languages(settings: TenantSettings, request: api.InstallRequest) -> tuple[str, ...]:
    """The languages of the texts: of the tenant's, its first one first. Guests may read that one of everything."""
    wanted = request.languages
    if wanted is None:
        return settings.languages
    strange = [place for place, each in enumerate(wanted) if each not in settings.languages]
    found = [FieldError(f"/languages/{place}", "unknown_language", f"the tenant has {', '.join(settings.languages)}") for place in strange]
    if settings.languages[0] not in wanted:
        found.append(FieldError("/languages", "missing_language", f"guests may read {settings.languages[0]}, the tenant's first language"))
    if found:
        raise NotInstallable("The campaign cannot be installed so; see errors.", errors=tuple(found))
    return tuple(each for each in settings.languages if each in wanted)


def _notes(languages: tuple[str, ...], channels: set[Any]) -> tuple[api.NoteAnswer, ...]:
    strange = [each for each in languages if each.partition("-")[0] not in LANGUAGES]
    left_out = [each for each in CHANNELS if each not in channels]
    return (
        *(
            api.NoteAnswer(code="not_translated", detail=f"the texts in {each} are those in {spoken(each)}: translate them", language=each)
            for each in strange
        ),
        *(
            api.NoteAnswer(code="channel_left_out", detail=f"the tenant has not set up {each}", channel=each)
            for each in left_out
        ),
    )


def _shown(entry: Entry) -> api.EntryAnswer:
    parameters = {
        name: api.ParameterAnswer(
            kind=each.kind,
            about=dict(each.about),
            default=each.default if isinstance(each.default, int) else dict(each.default),
            least=each.least,
            most=each.most,
        )
        for name, each in entry.parameters.items()
    }
    made = tuple(api.MadeAnswer(kind=each.kind, id=each.id) for each in entry.definitions)
    return api.EntryAnswer(name=entry.name, title=dict(entry.title), about=dict(entry.about), parameters=parameters, definitions=made)
