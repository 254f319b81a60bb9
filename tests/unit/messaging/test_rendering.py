"""Texts with variables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.rendering import InvalidTemplate, Variable, render, variables


def test_a_variable_is_its_value_or_its_default() -> None:
    template = 'Hi {{ member.first_name | default: "you" }}, {{coupon.title}}!'
    assert render(template, {"member.first_name": "Anna", "coupon.title": "Fries"}) == "Hi Anna, Fries!"
    assert render(template, {"coupon.title": "Fries"}) == "Hi you, Fries!"
    assert render(template, {}) == "Hi you, !"


def test_variables_are_listed_in_order() -> None:
    template = 'a {{ link }} b {{ member.last_name | default: "x" }}'
    assert variables(template) == [Variable("link"), Variable("member.last_name", "x")]


BAD = ("{{", "}}", "a }} b", "{{ }}", "{{ A }}", "{{ a.b.c }}", "{{ a | upcase }}", "{% if a %}", "{{ a }} {{ b", "{{ a | default: x }}")


@pytest.mark.parametrize("template", [*BAD, "{{{ a }}}"])
def test_anything_else_in_braces_is_refused(template: str) -> None:
    with pytest.raises(InvalidTemplate):
        variables(template)


@given(st.text())
def test_values_are_not_looked_into(value: str) -> None:
    assert render("<{{ link }}>", {"link": value}) == f"<{value}>"


@given(st.text())
def test_any_text_is_rendered_or_refused(template: str) -> None:
    try:
        names = variables(template)
    except InvalidTemplate:
        return
    assert names or render(template, {}) == template
