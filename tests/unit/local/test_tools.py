"""Which browser the tests of pages get, and when one is installed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from local.tools import BROWSERS, SetupFailed, chosen_browser, may_install_browser

DEBIAN = {"ID": "debian"}


def machine(*programs: str) -> Callable[[str], str | None]:
    """Where the programs of a machine are."""
    return lambda name: f"/usr/bin/{name}" if name in programs else None


def test_the_first_browser_that_is_there_is_taken() -> None:
    for name in BROWSERS:
        assert chosen_browser(None, machine(name)) == f"/usr/bin/{name}"
    assert chosen_browser(None, machine("google-chrome", "chromium")) == "/usr/bin/chromium"


@pytest.mark.parametrize("named", [None, ""])
def test_a_machine_may_have_none(named: str | None) -> None:
    assert chosen_browser(named, machine("firefox", "lynx")) is None


def test_the_named_one_is_taken_before_all_others() -> None:
    assert chosen_browser("brave", machine("chromium", "brave")) == "/usr/bin/brave"


def test_a_named_one_that_is_not_there_is_not_replaced_by_another() -> None:
    with pytest.raises(SetupFailed, match="REGULARS_BROWSER=/opt/chrome is no program"):
        chosen_browser("/opt/chrome", machine("chromium"))


@pytest.mark.parametrize("release", [DEBIAN, {"ID": "ubuntu", "ID_LIKE": "debian"}, {"ID": "mint", "ID_LIKE": "ubuntu debian"}])
def test_root_of_a_debian_or_its_likes_gets_one_installed(release: dict[str, str]) -> None:
    assert may_install_browser(release, has_apt=True, is_root=True)


@pytest.mark.parametrize(
    ("release", "has_apt", "is_root"),
    [(DEBIAN, False, True), (DEBIAN, True, False), ({"ID": "fedora"}, True, True), ({}, True, True), ({"ID_LIKE": "debia"}, True, True)],
)
def test_elsewhere_nothing_is_installed(release: dict[str, str], has_apt: bool, is_root: bool) -> None:
    assert not may_install_browser(release, has_apt, is_root)
