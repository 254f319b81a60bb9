"""A tenant's look: colours that can be read, pages and e-mails in it, and nothing from elsewhere but its logo."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from shared.messaging import pages
from shared.messaging.look import Look, dressed, letter, look_of
from shared.tenants.branding import Branding, contrast
from tests.builders.house import SETTINGS

LOGO = "med_" + "a" * 32
PLAIN = Look("Fries & More", "#222222", "#ffffff")


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#ffffff", "#ffffff", 1.0), ("#777777", "#ffffff", 4.48), ("#0000ff", "#ffffff", 8.59)],
)
def test_contrast_is_that_of_the_standard(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == contrast(other, one) == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize(
    "colors",
    [
        {"color": "#777777"},
        {"color": "#ffcc00", "on_color": "#000000"},
        {"color": "#ffffff", "on_color": "#000000"},
        {"color": "red"},
        {"color": "#FF0000"},
        {"color": "#222222", "on_color": "#333333"},
    ],
)
def test_colours_that_cannot_be_read_are_refused(colors: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Branding.model_validate(colors)


def test_colours_that_can_be_read_are_taken() -> None:
    assert Branding.model_validate({"color": "#c8102e"}).on_color == "#ffffff"
    assert Branding.model_validate({"color": "#e07a00", "on_color": "#000000"}).color == "#e07a00"


def test_a_page_is_dressed_and_may_load_the_logo_alone() -> None:
    look = Look('Fries "&" More', "#c8102e", "#ffffff", "https://img.example/media/demo/x/fallback.png")
    page, headers = dressed(pages.page("ask", "en", look.name), look)
    assert "button{background:#c8102e;color:#ffffff}" in page
    assert '<img src="https://img.example/media/demo/x/fallback.png" alt="Fries &quot;&amp;&quot; More">' in page
    assert headers["content-security-policy"] == pages.HEADERS["content-security-policy"] + "; img-src https://img.example"
    bare, plain = dressed(pages.page("ask", "en", "x"), PLAIN)
    assert ("<img" in bare, plain) == (False, pages.HEADERS)


def test_the_tenants_name_and_logo_are_used_where_there_are_any() -> None:
    assert look_of(SETTINGS, "demo", "https://img.example") == PLAIN
    branded = SETTINGS.model_copy(update={"branding": Branding(name="Fries", logo=LOGO)})
    assert look_of(branded, "demo", "").logo == ""
    found = look_of(branded, "demo", "https://img.example")
    assert (found.name, found.logo.startswith(f"https://img.example/media/demo/{LOGO}/")) == ("Fries", True)


def test_a_letter_says_the_same_with_a_button_and_runs_nothing() -> None:
    text = letter("Hi <b>", "From <script>x</script> & co\nline\n\nhttps://api.example/c/demo/tok", PLAIN)
    assert "<script>" not in text
    assert "From &lt;script&gt;x&lt;/script&gt; &amp; co<br>line" in text
    assert '<a href="https://api.example/c/demo/tok" style="display:inline-block' in text
    assert "Hi &lt;b&gt;" in text


def test_a_button_says_what_its_line_says_else_where_it_leads() -> None:
    text = letter("Hi", "Dear A\nConfirm <it> & go:\nhttps://api.example/c/tok?a=1&b=2\n\nOr see https://shop.example/x", PLAIN)
    assert ">Confirm &lt;it&gt; &amp; go</a>" in text
    assert '<a href="https://api.example/c/tok?a=1&amp;b=2"' in text
    assert ">shop.example</a>" in text
    assert "Dear A<br><a" in text


def test_a_line_with_a_link_of_its_own_is_no_label_and_keeps_it() -> None:
    text = letter("Hi", "Menu https://a.example/x:\nhttps://b.example/y", PLAIN)
    assert '<a href="https://a.example/x">a.example</a>:<br>' in text
    assert '<a href="https://b.example/y" style=' in text
    assert ">b.example</a>" in text
