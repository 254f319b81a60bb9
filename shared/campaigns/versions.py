"""Published versions of campaigns, parsed once. A planned message is sent as the version says that it was planned with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.campaigns.model import CampaignBody
from shared.definitions.model import Definition
from shared.tenants.scope import TenantScope

_MAX_PARSED: Final = 1000
_parsed: dict[tuple[str, str, int], tuple[Mapping[str, Any], CampaignBody]] = {}


def body_of(tenant: str, definition: Definition) -> CampaignBody:
    """A version's body, parsed once per time that the definitions are loaded."""
    key = (tenant, definition.id, definition.version)
    kept = _parsed.get(key)
    if kept is None or kept[0] is not definition.body:
        if len(_parsed) >= _MAX_PARSED:
            _parsed.clear()
        kept = _parsed[key] = (definition.body, CampaignBody.model_validate(definition.body))
    return kept[1]


def version_of(scope: TenantScope, campaign: str, version: int) -> Definition | None:
    """A version that was published, in force or not. No request when the definitions are cached."""
    found = (each for each in scope.definitions.definitions if (each.kind, each.id, each.version) == ("campaign", campaign, version))
    return next((each for each in found if each.effective_from is not None), None)
