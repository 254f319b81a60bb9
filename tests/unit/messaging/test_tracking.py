"""Links of finished texts, replaced by tracked ones."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.tracking import MAX_LINK, MAX_LINKS, LinkList, Tracking


def tracked(text: str = "", page: str = "", pixel: str | None = None, untouched: tuple[str, ...] = ()) -> tuple[str, str, list[str]]:
    listed = LinkList(Tracking(lambda number: f"https://t.example/{number}", pixel, untouched))
    body, html = listed.in_text(text), listed.in_html(page)
    return body, html, listed.links


def test_links_in_plain_text() -> None:
    body, _, links = tracked("Look: https://a.example/x?y=1. Or (http://b.example)! app://stays, https://a.example/x?y=1")
    assert body == "Look: https://t.example/0. Or (https://t.example/1)! app://stays, https://t.example/0"
    assert links == ["https://a.example/x?y=1", "http://b.example"]


def test_links_in_a_page_and_the_same_link_in_both() -> None:
    page = """<a class="b" href='https://a.example/?x=1&amp;y=2'>x</a><a href="mailto:x@y.example">m</a><img src="https://i.example/a.png"></body>"""
    body, html, links = tracked("https://a.example/?x=1&y=2", page, "https://t.example/p.gif")
    assert links == ["https://a.example/?x=1&y=2"]
    assert html == (
        '<a class="b" href="https://t.example/0">x</a><a href="mailto:x@y.example">m</a><img src="https://i.example/a.png">'
        '<img src="https://t.example/p.gif" width="1" height="1" alt=""></body>'
    )
    assert body == "https://t.example/0"


def test_the_link_to_unsubscribe_stays() -> None:
    link = "https://api.example/u/demo/t"
    assert tracked(link, f'<a href="{link}">no</a>', untouched=(link,)) == (link, f'<a href="{link}">no</a>', [])


def test_links_beyond_what_is_kept_stay() -> None:
    text = " ".join(f"https://a.example/{number}" for number in range(MAX_LINKS + 5))
    body, _, links = tracked(text)
    assert len(links) == MAX_LINKS
    assert body.endswith(f"https://t.example/{MAX_LINKS - 1} " + " ".join(f"https://a.example/{MAX_LINKS + each}" for each in range(5)))


def test_a_link_longer_than_is_kept_stays() -> None:
    kept, long = f"https://a.example/{'x' * (MAX_LINK - 18)}", f"https://a.example/{'x' * (MAX_LINK - 17)}"
    assert len(kept) == MAX_LINK
    assert tracked(f"{kept} {long}") == (f"https://t.example/0 {long}", "", [kept])


def test_written_again_only_the_links_that_are_kept_are_tracked() -> None:
    listed = LinkList(Tracking(lambda number: f"https://t.example/{number}", known=("https://a.example", "https://b.example")))
    assert listed.in_text("https://b.example https://c.example") == "https://t.example/1 https://c.example"
    assert listed.links == ["https://a.example", "https://b.example"]


@given(st.text(st.sampled_from("ahtps:/.x \"'<>é()"), max_size=200))
def test_nothing_but_links_changes(text: str) -> None:
    body, _, links = tracked(text)
    back = re.sub(r"https://t\.example/(\d+)", lambda found: links[int(found[1])], body)
    assert back == text
