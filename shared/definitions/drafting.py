"""What is refused when a draft is saved, because it can never be right: whatever may still come (a segment, an offer, a wallet, a
channel's credentials) is asked for when it is published or launched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from shared.campaigns.content import check_content
from shared.campaigns.model import CampaignBody
from shared.definitions.catalogue import categories
from shared.definitions.characters import refuse_control_characters
from shared.definitions.errors import BrokenReference
from shared.definitions.model import Kind
from shared.definitions.references import names_categories, unknown_categories
from shared.tenants.scope import TenantScope


def check_draft(scope: TenantScope, kind: Kind, definition: BaseModel, body: Mapping[str, Any]) -> None:
    """Refuse what no publishing could let through; each refusal points at every place. ``body``: the definition as it will be stored.

    Control characters; of a campaign ``UnusableContent`` for a text that is no template, asks for what no message has, or is too long
    for its channel; of a programme ``BrokenReference`` for categories that the catalogue lacks (one Query per MB of items).
    """
    refuse_control_characters(body, "/definition")
    if isinstance(definition, CampaignBody):
        check_content(definition)
    if kind == "programme":
        _check_categories(scope, body)


def _check_categories(scope: TenantScope, body: Mapping[str, Any]) -> None:
    """A programme names categories that the catalogue has; a tenant without a catalogue may name any."""
    if not names_categories(body):
        return
    known = categories(scope)
    errors = unknown_categories(body, known) if known else ()
    if errors:
        raise BrokenReference("The definition names categories that do not exist; see errors.", errors=errors)
