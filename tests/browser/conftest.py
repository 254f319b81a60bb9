"""A browser for the whole run, with a new and empty profile for each test; nothing but loopback can be reached from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from local.tools import SetupFailed, browser
from tests.browser.tab import Tab
from tests.component.conftest import bare_house, dynamodb

__all__ = ["bare_house", "chromium", "dynamodb", "new_tab", "tab"]

PATIENCE_MS = 30_000
"""The longest that anything is waited for, on a machine with much else to do."""
DESK, PHONE = {"width": 1100, "height": 800}, {"width": 320, "height": 640}
"""320: the narrowest that a page must fit without scrolling sideways (WCAG 2.2, 1.4.10)."""
_QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
NewTab = Callable[..., Tab]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The machine's browser. Without one nothing is proven, so nothing passes."""
    path, problem = None, ""
    try:
        path = browser()
    except SetupFailed as failure:
        problem = str(failure)
    if path is None:
        pytest.fail(problem, pytrace=False)
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=_QUIET)
        yield running
        running.close()


@pytest.fixture
def new_tab(chromium: Browser) -> Iterator[NewTab]:
    """Opens tabs, each with a profile of its own. Whatever they did, none may have asked another host for anything."""
    tabs: list[Tab] = []

    def opened(**options: Any) -> Tab:
        context = chromium.new_context(**{"viewport": DESK, "locale": "en-GB", **options})
        context.set_default_timeout(PATIENCE_MS)
        tabs.append(Tab(context))
        return tabs[-1]

    yield opened
    for each in tabs:
        each.page.context.close()
    assert [each.elsewhere for each in tabs] == [[]] * len(tabs)


@pytest.fixture
def tab(new_tab: NewTab) -> Tab:
    """An Englishwoman at a desk."""
    return new_tab()
