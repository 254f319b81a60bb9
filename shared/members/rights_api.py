"""Bodies of the routes about what a member asks for by law. Null fields of answers are left out."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, StrictBool, model_validator

from shared.tenants.base import Answer, Frozen

RestrictionReason = Literal["accuracy_contested", "unlawful", "legal_claims", "objection_pending"]
"""The four cases of Art. 18(1) GDPR, in their order."""


class RestrictionRequest(Frozen):
    """Whether her data may be processed beyond storing them and keeping up the membership."""

    restricted: StrictBool
    reason: RestrictionReason | None = Field(default=None, description="why, of a restriction: one of the cases of Art. 18(1) GDPR")

    @model_validator(mode="after")
    def _with_a_reason(self) -> Self:
        if self.restricted != (self.reason is not None):
            raise ValueError("a restriction has a reason, lifting it has none")
        return self


class RestrictionAnswer(Answer):
    """What holds from now on."""

    member_id: str
    restricted: bool
    reason: RestrictionReason | None = None
    since: str | None = None
