"""The committed OpenAPI document is that of the routes, and every function answers all of its routes."""

from __future__ import annotations

from types import ModuleType

import pytest

from functions.administration import handler as administration
from functions.coupon_redemption import handler as redemption
from functions.registration import handler as registration
from functions.transaction_ingestion import handler as ingestion
from local.openapi import TARGETS, document
from local.tools import ROOT


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_the_committed_document_is_that_of_the_routes(target: str) -> None:
    assert (ROOT / target).read_text(encoding="utf-8") == document(), "run `make openapi`"


@pytest.mark.parametrize("handler", [administration, redemption, registration, ingestion], ids=lambda module: module.__name__)
def test_every_route_of_a_function_has_a_handler(handler: ModuleType) -> None:
    handler.app.check_complete()
