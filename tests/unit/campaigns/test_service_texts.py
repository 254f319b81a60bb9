"""The default texts of service messages: each can be published and written as it is, in every language."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.campaigns.content import Expiring, Values, check_content, write
from shared.campaigns.lint import check_service
from shared.campaigns.model import CampaignBody
from shared.messaging.service_texts import DATA, LANGUAGES, NAMES, SERVICE_TEXTS, ServiceText, default_content
from shared.messaging.sms import size_of
from shared.tenants.messaging import CHANNELS
from shared.tenants.model import TenantSettings

VALUES: dict[str, Any] = {
    "balances": {"points": 1234},
    "expiring": Expiring(50, "2026-12-03"),
    "tier": "gold",
    "tier_title": "Gold",
    "data": {"code": "123456", "minutes": 5, "purpose": "News by e-mail"},
}
SETTINGS = TenantSettings(name="Fritz", currency="EUR", time_zone="Europe/Berlin")


@pytest.mark.parametrize("name", NAMES)
def test_each_can_be_published_and_says_something_everywhere(name: ServiceText) -> None:
    trigger = {"kind": "api", "data": DATA.get(name, ())}
    steps = [{"id": "s", "text": name}]
    body = CampaignBody.model_validate({"name": "c", "message_class": "service", "trigger": trigger, "steps": steps})
    check_content(body, {"points"})
    check_service(body)
    step = body.message("s")
    assert step is not None
    assert set(step.content) == set(LANGUAGES)
    assert CampaignBody.model_validate(body.model_dump(mode="json", by_alias=True)) == body, "as it is stored"
    for language in LANGUAGES:
        for channel in CHANNELS:
            text = write(step, channel, Values(person={"language": language}, **VALUES), SETTINGS)
            assert text.language == language
            assert not set("{@") & set(text.title + text.body)
            # Nothing that was asked for is missing: no blanks where a value would stand.
            assert "  " not in text.body
            assert not any(gap in text.body for gap in (" .", ": .", "„“", '""', "«»"))
            assert size_of(text.body).parts <= 2


def test_a_tenants_languages_and_wallet() -> None:
    content = default_content("points_landed", ("de-AT", "fr", "en"), "coins")
    assert set(content) == {"de-AT", "en"}
    assert content["de-AT"]["body"] == "Danke für deinen Besuch. Dein Punktestand: {{ balance.coins.points }}."
    assert set(default_content("otp", ("fr",))) == {"en"}


def test_every_text_is_in_every_language() -> None:
    assert all(set(texts) == set(LANGUAGES) for texts in SERVICE_TEXTS.values())
    assert set(SERVICE_TEXTS) == set(NAMES)


def test_what_a_tenant_writes_itself_wins_over_the_ready_text() -> None:
    own = {"en": {"title": "Hi", "body": "Yours"}}
    body = {"name": "c", "trigger": {"kind": "once"}, "steps": [{"id": "s", "text": "points_landed", "content": own}]}
    step = CampaignBody.model_validate(body).message("s")
    assert step is not None
    assert set(step.content) == {"en"}
    for wrong in ({"id": "s"}, {"id": "s", "text": "unheard-of"}):
        with pytest.raises(ValidationError):
            CampaignBody.model_validate({**body, "steps": [wrong]})
