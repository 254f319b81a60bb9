"""The linter over a tenant's definitions: what it says of a programme's newest version, and whether that may be published."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from shared.coupons.effects import FreeItem
from shared.coupons.model import OfferBody
from shared.definitions.api import LintAnswer, LintRequest
from shared.definitions.errors import LintFailed, UnknownDefinition
from shared.definitions.model import DefinitionSet, TenantView
from shared.definitions.references import named_offers
from shared.kernel.errors import FieldError, InvalidValue
from shared.kernel.instants import Instant
from shared.programmes.lint.linter import lint
from shared.programmes.lint.model import Finding
from shared.programmes.model import ProgrammeBody
from shared.storage import keys
from shared.tenants.scope import TenantScope

MOST_PRICES: Final = 500
"""Catalogue items that are read for one programme; of those behind them no price is known."""


def lint_programme(scope: TenantScope, id_: str, request: LintRequest) -> LintAnswer:
    """What the linter says of the newest version, or of the body that was sent (then nothing needs to be stored under the id).

    Beside the programmes and offers that are in force now. ``UnknownDefinition`` without either. One Query of the definitions, half
    a read unit per item that the programme gives points per piece of. Nothing is written.
    """
    newest = None if request.definition is not None else scope.repository.newest("programme", id_)
    if newest is None and request.definition is None:
        raise UnknownDefinition
    body = request.definition if newest is None else ProgrammeBody.model_validate(newest.body)
    assert body is not None
    known = scope.repository.load(named_offers("programme", body.model_dump(mode="json")))
    return LintAnswer(version=newest.version if newest else None, findings=findings(scope, known, id_, body, scope.clock()))


def refuse_errors(scope: TenantScope, known: DefinitionSet, id_: str, body: ProgrammeBody, at: Instant, accepted: Collection[str]) -> None:
    """``LintFailed`` if the linter finds errors in what is to hold from ``at`` on, but for those whose codes are accepted."""
    errors = [each for each in findings(scope, known, id_, body, at) if each.severity == "error" and each.code not in accepted]
    if errors:
        named = tuple(FieldError(each.pointer, each.code, each.message) for each in errors)
        raise LintFailed("The programme has mistakes; mend them, or name their codes in accept.", errors=named)


def findings(scope: TenantScope, known: DefinitionSet, id_: str, body: ProgrammeBody, at: Instant) -> tuple[Finding, ...]:
    """The linter's findings of a body that holds from ``at`` on."""
    view = known.at(at)
    others = tuple(each for each in view.programmes if each.id != id_)
    wanted = {conversion.offer for each in (body, *(other.body for other in others)) for conversion in each.conversions}
    offers = {name: offer for name in sorted(wanted) if (offer := _offer(view, name)) is not None}
    items = [*_pieces(body), *(item for offer in offers.values() for item in offer.scope.items)]
    items += [offer.effect.item for offer in offers.values() if isinstance(offer.effect, FreeItem)]
    found = scope.repository.items(list(dict.fromkeys(each for each in items if _storable(scope.tenant, each)))[:MOST_PRICES])
    prices = {item.id: item.price for item in found.values() if item.price is not None}
    settings = known.settings
    locations = {location: known.groups_of(location) for location in known.locations}
    return lint(
        body, wallets=settings.wallets, offers=offers, others=others, prices=prices, at=at, zone=settings.time_zone, id=id_,
        locations=locations,
    )  # fmt: skip


def _offer(view: TenantView, id_: str) -> OfferBody | None:
    definition = view.offers.get(id_)
    return view.offer(id_, definition.version) if definition is not None else None


def _pieces(body: ProgrammeBody) -> Iterator[str]:
    """Items that points are given for by the piece."""
    for rule in body.earning:
        if rule.kind == "per_item":
            yield from rule.on.items


def _storable(tenant: str, item: str) -> bool:
    """Whether the catalogue could list it: a selector takes any text."""
    try:
        keys.catalogue_item(tenant, item)
    except InvalidValue:
        return False
    return bool(item)
