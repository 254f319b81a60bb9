"""Bodies of definitions, catalogue items and locations. The definition itself is nested and comes back as it was sent."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from shared.campaigns.model import CampaignBody
from shared.challenges.model import ChallengeBody
from shared.coupons.model import OfferBody, PromotionBody
from shared.definitions.model import Kind, Status
from shared.kernel.instants import parse_rfc3339
from shared.programmes.lint.model import Code, Finding
from shared.programmes.model import ProgrammeBody
from shared.rewards.model import RewardBody
from shared.segments.api import SegmentBody
from shared.tenants.model import CatalogueItem, Frozen, Location, Name
from shared.tenants.stops import NO_STOPS, Stops

BodyT = TypeVar("BodyT", bound=BaseModel)
MAX_ITEMS = 200
MAX_LOCATIONS = 100


def _instant(value: str) -> str:
    parse_rfc3339(value)
    return value


class DefinitionRequest(Frozen, Generic[BodyT]):
    """A definition to write. Without ``id`` one is made from the name; in a replacement it is in the path."""

    id: Name | None = None
    definition: BodyT


class ProgrammeRequest(DefinitionRequest[ProgrammeBody]):
    """A programme to write."""


class OfferRequest(DefinitionRequest[OfferBody]):
    """An offer to write."""


class PromotionRequest(DefinitionRequest[PromotionBody]):
    """An automatic promotion to write."""


class RewardRequest(DefinitionRequest[RewardBody]):
    """A reward to write."""


class SegmentRequest(DefinitionRequest[SegmentBody]):
    """A segment to write."""


class CampaignRequest(DefinitionRequest[CampaignBody]):
    """A campaign to write."""


class ChallengeRequest(DefinitionRequest[ChallengeBody]):
    """A challenge to write."""


class PublishRequest(Frozen):
    """From when on the draft holds (RFC 3339): at the earliest, and unless given, as soon as every function knows of it."""

    effective_from: Annotated[str, StringConstraints(max_length=40), AfterValidator(_instant)] | None = None
    accept: tuple[Code, ...] = Field(
        default=(), max_length=30, description="programmes: codes of the linter's errors to publish in spite of"
    )


class ApproveRequest(Frozen):
    """Which version was looked at: exactly that one is approved."""

    version: int = Field(ge=1)


class LintRequest(Frozen):
    """Nothing, to lint the newest version; or a programme, to lint it without storing it."""

    definition: ProgrammeBody | None = None


class LintAnswer(Frozen):
    """What the linter found, errors first; none: nothing. ``version`` is that of the stored programme, if it was that."""

    version: int | None = None
    findings: tuple[Finding, ...]


class DefinitionAnswer(Frozen, Generic[BodyT]):
    """The newest version of a definition. ``etag`` is what If-Match takes, without its quotes."""

    id: str
    kind: Kind
    version: int
    status: Status
    effective_from: str | None = None
    retired_from: str | None = None
    published_by: str | None = Field(default=None, description="id of the key or person")
    approved_by: str | None = Field(default=None, description="campaigns: id of the key or person")
    awaits_approval: bool = Field(default=False, description="campaigns: published, but it holds only after another person approved it")
    etag: str
    definition: BodyT
    changed_at: str


class ProgrammeAnswer(DefinitionAnswer[ProgrammeBody]):
    """A programme."""


class OfferAnswer(DefinitionAnswer[OfferBody]):
    """An offer."""


class PromotionAnswer(DefinitionAnswer[PromotionBody]):
    """An automatic promotion."""


class RewardAnswer(DefinitionAnswer[RewardBody]):
    """A reward."""


class SegmentAnswer(DefinitionAnswer[SegmentBody]):
    """A segment."""


class CampaignAnswer(DefinitionAnswer[CampaignBody]):
    """A campaign."""


class ChallengeAnswer(DefinitionAnswer[ChallengeBody]):
    """A challenge."""


class ProgrammePage(Frozen):
    """Programmes by id."""

    data: tuple[ProgrammeAnswer, ...]
    next_cursor: str | None = None


class OfferPage(Frozen):
    """Offers by id."""

    data: tuple[OfferAnswer, ...]
    next_cursor: str | None = None


class PromotionPage(Frozen):
    """Automatic promotions by id."""

    data: tuple[PromotionAnswer, ...]
    next_cursor: str | None = None


class RewardPage(Frozen):
    """Rewards by id."""

    data: tuple[RewardAnswer, ...]
    next_cursor: str | None = None


class SegmentPage(Frozen):
    """Segments by id."""

    data: tuple[SegmentAnswer, ...]
    next_cursor: str | None = None


class CampaignPage(Frozen):
    """Campaigns by id."""

    data: tuple[CampaignAnswer, ...]
    next_cursor: str | None = None


class ChallengePage(Frozen):
    """Challenges by id."""

    data: tuple[ChallengeAnswer, ...]
    next_cursor: str | None = None


REQUESTS: dict[Kind, type[DefinitionRequest[Any]]] = {
    "programme": ProgrammeRequest,
    "offer": OfferRequest,
    "promotion": PromotionRequest,
    "reward": RewardRequest,
    "segment": SegmentRequest,
    "campaign": CampaignRequest,
    "challenge": ChallengeRequest,
}
"""What a body of each kind is parsed as."""


# -- catalogue and locations ----------------------------------------------------------------------------------------


def _not_empty(entries: tuple[Any, ...]) -> tuple[Any, ...]:
    # Not Field(min_length=1): pydantic counts only valid entries, so one bad entry would also be reported as an empty list.
    if not entries:
        raise ValueError("at least one entry")
    return entries


class ItemsRequest(Frozen):
    """Items to create or replace. All are checked first: one that does not fit, and none is stored."""

    items: Annotated[tuple[CatalogueItem, ...], AfterValidator(_not_empty)] = Field(max_length=MAX_ITEMS, json_schema_extra={"minItems": 1})


class LocationsRequest(Frozen):
    """Locations to create or replace; all are checked first."""

    locations: Annotated[tuple[Location, ...], AfterValidator(_not_empty)] = Field(
        max_length=MAX_LOCATIONS, json_schema_extra={"minItems": 1}
    )


class PutResult(Frozen):
    """What became of one entry."""

    id: str
    status: Literal["created", "replaced", "unchanged"]


class ItemsAnswer(Frozen):
    """The entries in the order they were sent."""

    items: tuple[PutResult, ...]


class LocationsAnswer(Frozen):
    """The entries in the order they were sent."""

    locations: tuple[PutResult, ...]


class ItemPage(Frozen):
    """Catalogue items by id."""

    data: tuple[CatalogueItem, ...]
    next_cursor: str | None = None


class ListedLocation(Location):
    """A location, and whether it is open now."""

    open_now: bool | None = Field(default=None, description="null: its hours are not known")


class LocationPage(Frozen):
    """Locations by id."""

    data: tuple[ListedLocation, ...]
    next_cursor: str | None = None
    stops: Stops = Field(default=NO_STOPS, description="what the tenant has stopped: a till that is offline redeems none of it")
