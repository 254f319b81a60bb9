"""What a definition names must be there when it is published. Pure: the tenant's definitions in, what is missing out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from shared.coupons.personal import PARAMETERS, WORDS
from shared.definitions.model import Definition, DefinitionSet, Kind
from shared.definitions.segment_references import missing, nodes, published, segment_references
from shared.kernel.errors import FieldError
from shared.kernel.instants import Instant
from shared.messaging.rendering import InvalidTemplate, variables
from shared.tenants.content import content_problems

Found = Iterator[FieldError]
MOST_IMAGES: Final = 50
"""Each is checked in the transaction that publishes, and a transaction has 100 writes."""
_READ_BY_GUESTS: Final = frozenset({"offer", "promotion", "reward", "challenge"})
_CODES: Final[Mapping[str, str]] = {"offer": "unknown_offer", "segment": "unknown_segment", "challenge": "unknown_challenge"}


def broken_references(known: DefinitionSet, kind: Kind, body: Mapping[str, Any], at: Instant) -> tuple[FieldError, ...]:
    """Every place of the body (as stored) that names something which is not there at the instant. Pointers start at ``/definition``.

    Segments, coupon conditions of segments and filters of campaigns may name any offer that was ever written; a campaign needs its
    segments and offers published by then. Items, categories and tags are not checked: a till may sell what no catalogue lists.
    """
    return tuple(_CHECKS[kind](known, body, at))


def _programme(known: DefinitionSet, body: Mapping[str, Any], at: Instant) -> Found:
    """Conditions name locations, their groups and segments, gifts and conversions offers in force; a named wallet is one of the
    tenant's, if it names any.
    """
    yield from _conditions(known, body.get("applies") or {}, "/applies", at)
    for name in ("earning", "bonuses"):
        for index, rule in enumerate(body.get(name) or ()):
            yield from _conditions(known, rule.get("when") or {}, f"/{name}/{index}/when", at)
    for index, conversion in enumerate(body.get("conversions") or ()):
        if not published(known, "offer", conversion["offer"], at):
            yield missing(f"/conversions/{index}/offer", "unknown_offer", "published offer")
    for index, level in enumerate((body.get("tiers") or {}).get("levels") or ()):
        for place, offer in enumerate(level.get("offers") or ()):
            if not published(known, "offer", offer, at):
                yield missing(f"/tiers/levels/{index}/offers/{place}", "unknown_offer", "published offer")
    wallets = known.settings.wallets
    if wallets and body.get("wallet", "points") not in wallets:
        yield missing("/wallet", "unknown_wallet", "wallet of the tenant")


def _conditions(known: DefinitionSet, when: Mapping[str, Any], pointer: str, at: Instant) -> Found:
    for index, location in enumerate(when.get("locations") or ()):
        if location not in known.locations:
            yield missing(f"{pointer}/locations/{index}", "unknown_location", "location")
    for index, group in enumerate(when.get("location_groups") or ()):
        if group not in known.groups:
            yield missing(f"{pointer}/location_groups/{index}", "unknown_location_group", "group of locations")
    for index, segment in enumerate(when.get("segments") or ()):
        if not published(known, "segment", segment, at):
            yield missing(f"{pointer}/segments/{index}", "unknown_segment", "published segment")


def _offer(known: DefinitionSet, body: Mapping[str, Any], at: Instant) -> Found:
    """Conditions name locations, their groups and segments, budgets groups; an effect that gives points names a programme in force, and
    rules that it has.
    """
    yield from _conditions(known, body.get("when") or {}, "/when", at)
    for group in (body.get("limits") or {}).get("group_budgets") or ():
        if group not in known.groups:
            yield missing(f"/limits/group_budgets/{group}", "unknown_location_group", "group of locations")
    favourite = (body.get("personal") or {}).get("when.locations")
    if favourite is not None:
        named = {"otherwise": favourite["otherwise"], **{f"becomes/{name}": to for name, to in (favourite.get("becomes") or {}).items()}}
        for where in (where for where, location in named.items() if location not in known.locations):
            yield missing(f"/personal/when.locations/{where}", "unknown_location", "location")
    effect = body.get("effect") or {}
    if effect.get("programme") is None:
        return
    programme = known.in_force("programme", at).get(effect["programme"])
    if programme is None:
        yield missing("/effect/programme", "unknown_programme", "published programme")
        return
    rules = {rule["id"] for rule in programme.body.get("earning") or ()}
    for index, rule in enumerate(effect.get("of") or ()):
        if rule not in rules:
            yield missing(f"/effect/of/{index}", "unknown_rule", "rule of the programme")


def _campaign(known: DefinitionSet, body: Mapping[str, Any], at: Instant) -> Found:
    trigger, audience = body.get("trigger") or {}, body.get("audience") or {}
    named: list[tuple[str, Kind, Any]] = [
        ("/trigger/segment", "segment", trigger.get("segment")),
        ("/trigger/offer", "offer", trigger.get("offer")),
        ("/audience/segment", "segment", audience.get("segment")),
    ]
    for index, step in enumerate(body.get("steps", ())):
        named.append((f"/steps/{index}/if/segment", "segment", (step.get("if") or {}).get("segment")))
        named.append((f"/steps/{index}/challenge", "challenge", step.get("challenge")))
        named += [(f"/steps/{index}/offer{where}", "offer", offer) for where, offer in _offers_of(step)]
        named.append((f"/steps/{index}/form/offer", "offer", (step.get("form") or {}).get("offer")))
    for pointer, kind, id_ in named:
        if id_ is not None and not published(known, kind, id_, at):
            yield missing(pointer, _CODES[kind], f"published {kind}")
    for pointer, rule in _filters_of(body):
        for each in segment_references(known, {"rule": rule}, at):
            yield replace(each, pointer=each.pointer.replace("/rule", pointer, 1))
    for index, step in enumerate(body.get("steps", ())):
        yield from _personal_texts(known, step, f"/definition/steps/{index}", at)


def _filters_of(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The rules of the language of segments that a campaign asks, each with its place."""
    asked = [("/audience/filter", (body.get("audience") or {}).get("filter"))]
    asked += [(f"/steps/{index}/if/filter", (step.get("if") or {}).get("filter")) for index, step in enumerate(body.get("steps", ()))]
    yield from ((pointer, rule) for pointer, rule in asked if rule is not None)


def _offers_of(step: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The offers that a step of a campaign may give, each with its place below the step's offer."""
    offer = step.get("offer")
    if isinstance(offer, str):
        yield "", offer
    elif offer is not None:
        chosen = offer["next_best"]
        yield from ((f"/next_best/among/{index}/offer", each["offer"]) for index, each in enumerate(chosen["among"]))
        if chosen.get("fallback") is not None:
            yield "/next_best/fallback", chosen["fallback"]


def _personal_texts(known: DefinitionSet, step: Mapping[str, Any], pointer: str, at: Instant) -> Found:
    """Texts that show a personal parameter of the step's offer: one that the offer in force has, or each of those that are chosen among."""
    in_force, shown = known.in_force("offer", at), set(WORDS)
    for _, offer in _offers_of(step):
        shown &= {PARAMETERS[place].word for place in (in_force[offer].body.get("personal") or {})} if offer in in_force else set()
    lacking = {f"coupon.{word}" for word in WORDS - shown}
    places = {"content": step.get("content"), **{f"by_channel/{each}": texts for each, texts in (step.get("by_channel") or {}).items()}}
    named = ((place, language, content) for place, texts in places.items() for language, content in (texts or {}).items())
    for place, language, content in named:
        for name in ("title", "body", "html", "deep_link"):
            if not lacking.isdisjoint(_asked_for(content.get(name) or "", html=name == "html")):
                yield FieldError(f"{pointer}/{place}/{language}/{name}", "unknown_variable", "the offer has nothing personal of this name")


def _asked_for(text: str, *, html: bool) -> frozenset[str]:
    """The names that a text asks for. None of what is no template: who checks the texts themselves says so."""
    try:
        return frozenset(each.name for each in variables(text, html=html))
    except InvalidTemplate:
        return frozenset()


def _reward(known: DefinitionSet, body: Mapping[str, Any], at: Instant) -> Found:
    """Its conditions name locations and segments, its wallet is one of the tenant's, if it names any, its offer is in force."""
    yield from _conditions(known, body.get("when") or {}, "/when", at)
    offer = body["gives"].get("offer")
    if offer is not None and not published(known, "offer", offer, at):
        yield missing("/gives/offer", "unknown_offer", "published offer")
    wallets = known.settings.wallets
    if wallets and body.get("wallet", "points") not in wallets:
        yield missing("/wallet", "unknown_wallet", "wallet of the tenant")


def _challenge(known: DefinitionSet, body: Mapping[str, Any], at: Instant) -> Found:
    """A reward's offer is in force, its wallet one of the tenant's, if it names any; conditions name locations and segments."""
    yield from _conditions(known, body.get("when") or {}, "/when", at)
    reward = body.get("reward") or {}
    if reward.get("offer") is not None and not published(known, "offer", reward["offer"], at):
        yield missing("/reward/offer", "unknown_offer", "published offer")
    wallets = known.settings.wallets
    if wallets and reward.get("points") is not None and reward.get("wallet", "points") not in wallets:
        yield missing("/reward/wallet", "unknown_wallet", "wallet of the tenant")


def unreadable(known: DefinitionSet, kind: Kind, body: Mapping[str, Any]) -> tuple[FieldError, ...]:
    """Why guests could not read what they are shown of a body: its texts are not there in the tenant's first language, or lead
    astray. Beside ``broken_references``, because a replay or a trial needs no texts.
    """
    return tuple(_unreadable(known, kind, body))


def _unreadable(known: DefinitionSet, kind: Kind, body: Mapping[str, Any]) -> Found:
    for pointer, contents in _contents(kind, body):
        yield from content_problems(contents, known.settings, pointer)
    named = dict.fromkeys(id_ for _, id_ in named_media(kind, body))
    if len(named) > MOST_IMAGES:
        yield FieldError("/definition", "too_many_images", f"at most {MOST_IMAGES} different images")


def _contents(kind: Kind, body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What guests read of a definition, by language, with its pointer. Of tiers: nothing, or something of every level."""
    if kind in _READ_BY_GUESTS:
        yield "/definition/content", body.get("content") or {}
    if kind == "programme":
        levels = (body.get("tiers") or {}).get("levels") or ()
        if any(level.get("content") for level in levels):
            yield from ((f"/definition/tiers/levels/{index}/content", level.get("content") or {}) for index, level in enumerate(levels))


def named_media(kind: Kind, body: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The images that a definition (its body as stored) names: pointer and id."""
    return tuple(
        (f"{pointer}/{language}/image", content["image"])
        for pointer, contents in _contents(kind, body)
        for language, content in contents.items()
        if content.get("image") is not None
    )


def named_offers(kind: Kind, body: Mapping[str, Any]) -> frozenset[str]:
    """The offers that a definition (its body as stored) names."""
    if kind == "programme":
        of_levels = ((level.get("offers") or ()) for level in (body.get("tiers") or {}).get("levels") or ())
        return frozenset(each["offer"] for each in body.get("conversions") or ()).union(*of_levels)
    if kind == "segment":
        return _asked_offers(body)
    if kind == "campaign":
        steps = body.get("steps") or ()
        named = [offer for each in steps for _, offer in _offers_of(each)] + [(each.get("form") or {}).get("offer") for each in steps]
        named.append((body.get("trigger") or {}).get("offer"))
    else:
        named = [(body.get("reward") or body.get("gives") or {}).get("offer")]
    asked = (_asked_offers({"rule": rule}) for _, rule in _filters_of(body)) if kind == "campaign" else ()
    return frozenset(each for each in named if each is not None).union(*asked)


def _asked_offers(body: Mapping[str, Any]) -> frozenset[str]:
    """Of the coupons that a segment's rule asks about."""
    return frozenset(leaf["offer"] for leaf, _ in nodes(body) if leaf.get("kind") == "coupon")


def gifts(definitions: Iterable[Definition]) -> frozenset[str]:
    """The offers of which programmes and challenges give coupons by themselves: whoever decides about a member must know them."""
    giving = (each for each in definitions if each.kind in ("programme", "challenge"))
    return frozenset(offer for each in giving for offer in named_offers(each.kind, each.body))


def unknown_categories(body: Mapping[str, Any], known: frozenset[str]) -> tuple[FieldError, ...]:
    """Every place of a programme that names a category which no item of the catalogue has. A mistyped one would never earn."""
    return tuple(
        FieldError(f"/definition{pointer}/categories/{index}", "unknown_category", "no item of the catalogue has this category")
        for pointer, names in _named_categories(body, "")
        for index, name in enumerate(names)
        if name not in known
    )


def names_categories(body: Mapping[str, Any]) -> bool:
    """Whether a programme names any: only then the catalogue is read."""
    return next(_named_categories(body, ""), None) is not None


def _named_categories(node: Any, pointer: str) -> Iterator[tuple[str, list[str]]]:
    if isinstance(node, Mapping):
        if node.get("categories"):
            yield pointer, node["categories"]
        for name, child in node.items():
            yield from _named_categories(child, f"{pointer}/{name}")
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from _named_categories(child, f"{pointer}/{index}")


_CHECKS: Final[Mapping[Kind, Callable[[DefinitionSet, Mapping[str, Any], Instant], Found]]] = {
    "programme": _programme,
    "offer": _offer,
    "promotion": _offer,
    "reward": _reward,
    "segment": segment_references,
    "campaign": _campaign,
    "challenge": _challenge,
}
