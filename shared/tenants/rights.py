"""What a tenant says about the rights of its members: how a consent is proven, how long who does nothing stays a member,
and how old one must be.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictBool, StrictInt, StringConstraints

from shared.tenants.base import Frozen


class ConsentSettings(Frozen):
    """Consents."""

    double_opt_in: StrictBool = Field(
        default=True,
        description="marketing by e-mail waits until a link in a mail was followed, unless she is signed in and has proven the address",
    )


class RetentionSettings(Frozen):
    """Members who do nothing are warned, and erased if they go on doing nothing. Not unless the tenant says so."""

    inactive_months: StrictInt | None = Field(default=None, ge=3, le=120, description="months without any activity; none: members stay")
    warn_days: StrictInt = Field(default=30, ge=7, le=365, description="days from the warning to the erasure")
    since: StrictInt = Field(default=0, ge=0, description="set by us: when it was last changed, in milliseconds; what is sent is ignored")


Years = Annotated[StrictInt, Field(ge=1, le=25)]
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class AgeLimitSettings(Frozen):
    """From which age on one may be a member (Art. 8 GDPR leaves 13 to 16 to the countries). None, unless the tenant says so."""

    years: Years | None = Field(default=None, description="none: any age")
    countries: dict[CountryCode, Years] = Field(
        default_factory=dict, max_length=250, description="by the member's country (ISO 3166-1), else the tenant's, in place of years"
    )
    required: StrictBool = Field(default=False, description="no marketing to members whose day of birth is not known")

    def of(self, country: str | None) -> int | None:
        """The age for a country."""
        return self.countries.get(country, self.years) if country is not None else self.years
