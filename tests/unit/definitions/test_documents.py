"""The committed OpenAPI document is that of the routes."""

from __future__ import annotations

from local.openapi import documents
from local.tools import ROOT


def test_the_committed_documents_are_those_of_the_routes() -> None:
    for target, text in documents().items():
        assert (ROOT / target).read_text(encoding="utf-8") == text, "run `make openapi`"
