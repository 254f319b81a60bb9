"""Refusals about definitions."""

from __future__ import annotations

from shared.kernel.errors import Forbidden, NotFound, StateConflict, Unprocessable


class UnknownDefinition(NotFound):
    """No such definition of this kind in this tenant."""

    code, title = "unknown_definition", "Unknown definition"


class DefinitionExists(StateConflict):
    """The id is taken."""

    code, title = "definition_exists", "Definition exists"


class NothingToPublish(StateConflict):
    """The newest version is published with another instant, or retired: write a draft first."""

    code, title = "nothing_to_publish", "Nothing to publish"


class NothingToApprove(StateConflict):
    """The version is a draft or retired."""

    code, title = "nothing_to_approve", "Nothing to approve"


class OwnWork(Forbidden):
    """Who published a version does not approve it."""

    code, title = "own_work", "A second person approves"


class TooEarly(Unprocessable):
    """``effective_from`` is sooner than every function is sure to know of it, or than the version before it."""

    code, title = "effective_too_early", "effective_from is too early"


class LintFailed(Unprocessable):
    """The linter finds errors in the programme that the request does not accept; ``errors`` has their places and codes."""

    code, title = "lint_failed", "The programme has mistakes"


class TooManyPromotions(StateConflict):
    """Every basket asks all promotions in force: retire one first."""

    code, title = "too_many_promotions", "Too many promotions in force"


class LocationGroupInUse(StateConflict):
    """A group of locations is to be taken away that a definition in force or to come still names; ``errors`` says which, and where."""

    code, title = "location_group_in_use", "Group of locations in use"


class LimitLowered(Unprocessable):
    """A limit that all share is lower than in a version before; ``errors`` points at each."""

    code, title = "limit_lowered", "Limit lowered"


class BrokenReference(Unprocessable):
    """The definition names something that is not there; ``errors`` points at each place."""

    code, title = "broken_reference", "Reference to something that does not exist"
