"""The default texts of service messages: each can be published and written as it is, in every language."""

from __future__ import annotations

from typing import Any

import pytest

from shared.campaigns.content import Attached, Expiring, Values, check_content, write
from shared.campaigns.model import CampaignBody, SendStep
from shared.coupons.model import Coupon, OfferBody
from shared.kernel.instants import parse_rfc3339
from shared.messaging.service_texts import DATA, LANGUAGES, NAMES, SERVICE_TEXTS, WITH_COUPON, ServiceText, default_content
from shared.messaging.sms import size_of
from shared.tenants.messaging import CHANNELS
from shared.tenants.model import TenantSettings

OFFER = OfferBody.model_validate({"name": "Fries", "effect": {"kind": "amount", "amount": 100}, "content": {"en": {"title": "Fries"}}})
COUPON = Coupon("cpn_1", "fries", 1, "active", "mbr_1", 0, parse_rfc3339("2026-12-21T23:00:00Z"), code="ABC")
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
    content = default_content(name, LANGUAGES)
    assert set(content) == set(LANGUAGES)
    offer = {"offer": "fries"} if name in WITH_COUPON else {}
    step = SendStep.model_validate({"id": "s", "content": content, **offer})
    trigger = {"kind": "api", "data": DATA.get(name, ())}
    check_content(CampaignBody.model_validate({"name": "c", "message_class": "service", "trigger": trigger, "steps": [step]}), {"points"})
    attached = Attached(COUPON, OFFER) if name in WITH_COUPON else None
    for language in LANGUAGES:
        for channel in CHANNELS:
            text = write(step, channel, Values(person={"language": language}, attached=attached, **VALUES), SETTINGS)
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
