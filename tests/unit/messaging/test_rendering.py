"""Texts in Liquid, and the sandbox that they are kept in."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.messaging.rendering import (
    MAX_HTML,
    MAX_TEXT,
    InvalidTemplate,
    RenderingFailed,
    Variable,
    compile_template,
    render,
    unknown_variables,
    variables,
)  # fmt: skip
from shared.messaging.sandbox import FILTERS, MAX_ITEMS, MAX_LOCALS, MAX_OUTPUT, MAX_STRING, MAX_WALK


def test_a_variable_is_its_value_or_its_default() -> None:
    template = 'Hi {{ member.first_name | default: "you" }}, {{coupon.title}}!'
    assert render(template, {"member.first_name": "Anna", "coupon.title": "Fries"}) == "Hi Anna, Fries!"
    assert render(template, {"coupon.title": "Fries"}) == "Hi you, Fries!"
    assert render(template, {}) == "Hi you, !"


def test_conditions_loops_and_filters() -> None:
    template = "{% for line in data.lines %}{{ line.name | upcase }}{% unless forloop.last %}, {% endunless %}{% endfor %}"
    assert render(template, {"data.lines": [{"name": "fries"}, {"name": "cola"}]}) == "FRIES, COLA"
    assert render('{% if tier.id == "gold" %}Gold{% else %}Hello{% endif %}', {"tier.id": "gold"}) == "Gold"
    assert render("{% if balance.points.points > 99 %}many{% endif %}", {"balance.points.points": 100}) == "many"
    assert render('{{ day | date: "%-d.%m.%y" }} {{ points | plus: 5 }}', {"day": "2026-12-03", "points": 7}) == "3.12.26 12"


def test_variables_are_listed_in_order_with_their_lines() -> None:
    template = "a {{ link }}\n{% assign x = member.id %}{% for y in data.lines %}{{ y.name }}{{ x }}{% endfor %}"
    template += '\n{{ balance["2go"].points }}'
    found = [(each.name, each.line) for each in variables(template)]
    assert found == [("link", 1), ("member.id", 2), ("data.lines", 2), ("balance.2go.points", 3)]


def test_what_is_not_known_is_found() -> None:
    template = "{{ link }}\n{{ data.order.total }}{{ member.fist_name }}{{ data[link] }}"
    known = {"link", "data.order", "data.order.*", "member.first_name"}
    assert [each.name for each in unknown_variables(template, known)] == ["member.fist_name", "data.[['link']]"]
    assert unknown_variables("{{ now }}{{ today }}", known) == (Variable("now"), Variable("today"))
    assert render("{{ now }}{{ today }}", {}) == ""
    assert unknown_variables("{{ dat }}{{ data.order2 }}", known) == (Variable("dat"), Variable("data.order2"))


BAD = (
    "{{", "}}", "a }} b", "{{ }}", "{% if a %}", "{{ a }} {{ b", "{{{ a }}}", "{% endif %}", "{{ a b }}", "{{ a | nope }}",
    "{{ a | safe }}",    '{% include "x" %}', '{% render "x" %}', "{% raw %}{% endraw %}", "{% liquid\necho a %}",
    "{% increment a %}", "{% cycle a %}",
    "{% for i in (1..9) %}{% endfor %}", "{{ (1..9) }}", "{{ a" + "[b" * 11 + "]" * 11 + "}}", "{{" + " " * 101 + "}}",
    "{{ a" + " or a" * 500 + "}}",
    "{% if a %}" * 11 + "{% endif %}" * 11, "x" * (MAX_TEXT + 1), "{% tablerow a in b %}{% endtablerow %}", "{% %}", "{% # x %}",
)  # fmt: skip


@pytest.mark.parametrize("template", BAD)
def test_what_is_not_allowed_is_refused_when_it_is_compiled(template: str) -> None:
    with pytest.raises(InvalidTemplate):
        compile_template(template)


def test_a_refusal_names_the_line() -> None:
    with pytest.raises(InvalidTemplate, match=r"^line 3: there is no filter nope"):
        compile_template("a\n{% if b %}\n{{ c | nope }}{% endif %}")
    with pytest.raises(InvalidTemplate, match=r"^line 2: braces that are not closed"):
        compile_template("a {{ b }}\n {{ c")


def test_styles_of_a_page_are_no_braces_of_ours() -> None:
    page = "<style>@media print{a{width:50%}}</style>{{ link }}"
    assert render(page, {"link": "x"}, html=True) == "<style>@media print{a{width:50%}}</style>x"
    with pytest.raises(InvalidTemplate):
        compile_template("y" * (MAX_HTML + 1), html=True)


@given(st.text())
@example("{{ member.id }}{% if x %}")
def test_values_are_not_looked_into(value: str) -> None:
    values = {"link": value, "member.id": "never"}
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    assert render("<{{ link }}>", values) == f"<{value}>"
    assert render("{% assign x = link %}{% capture y %}{{ x }}{% endcapture %}{{ y }}", values) == value
    assert render("{% for x in list %}{{ x }}{% endfor %}", {"list": [value]}) == value


@given(st.text(), st.sampled_from(sorted(FILTERS)), st.sampled_from(sorted(FILTERS)))
@example("<i>", "newline_to_br", "strip")
@example("<i>&lt;b", "escape", "slice")
def test_no_value_makes_markup(value: str, first: str, second: str) -> None:
    arguments = {"replace": ': "x", a', "replace_first": ': "x", a', "slice": ": 0, 9"}
    arguments |= dict.fromkeys(("append", "prepend", "date", "default"), ": a")
    chain = f"| {first}{arguments.get(first, '')} | {second}{arguments.get(second, '')}"
    shown = render("{% capture c %}x{{ a }}{% endcapture %}" + f"{{{{ a {chain} }}}}{{{{ c {chain} }}}}", {"a": f"<i>{value}"}, html=True)
    assert "<" not in shown.replace("<br />", "")


_PIECES = ("{{", "}}", "{%", "%}", " a ", "if ", "endif", "for ", "in ", "|", "endfor", "else", '"', "[", "-")


@given(st.text() | st.lists(st.sampled_from(_PIECES)).map("".join))
def test_any_text_is_rendered_or_refused(template: str) -> None:
    try:
        compiled = compile_template(template)
        shown = compiled.render({"a": ["x", 1, {"b": None}]})
    except InvalidTemplate:
        return
    assert compiled.variables or "{%" in template or "{{" in template or shown == template


_SCALARS = st.none() | st.booleans() | st.integers() | st.text(st.characters())


_VALUES = _SCALARS | st.lists(_SCALARS, max_size=3) | st.dictionaries(st.text(max_size=3), _SCALARS, max_size=3)


@given(_VALUES, st.sampled_from(sorted(FILTERS)))
@example("\ud800", "upcase")
@example(10**5000, "times")
def test_no_value_breaks_a_filter(value: object, name: str) -> None:
    try:
        render(f"{{{{ a | {name}: 2 }}}}{{{{ a | {name} }}}}{{{{ b | {name}: a }}}}{{% if a > 1 %}}{{% endif %}}", {"a": value, "b": "x"})
    except RenderingFailed:
        return


def test_growth_is_bounded() -> None:
    doubling = "{{ a" + " | append: a" * 100 + " | size }}"
    assert render(doubling, {"a": "x" * 1500}) == str(MAX_STRING)
    squaring = '{{ a | replace: "x", a | replace: "x", a | replace: "x", a | size }}'
    assert 1000 <= int(render(squaring, {"a": "x" * 1000})) <= MAX_STRING
    assert render("{{ a | times: a | times: a }}", {"a": 10**6}) == ""
    with pytest.raises(RenderingFailed):
        render("{% for x in l %}{{ a }}{% endfor %}", {"l": [1] * 100, "a": "y" * (MAX_OUTPUT // 50)})
    with pytest.raises(RenderingFailed):
        render("".join(f"{{% assign v{n} = 1 %}}" for n in range(MAX_LOCALS + 1)), {})


def test_loops_walk_over_a_bounded_length_of_text() -> None:
    body = "{% for x in l %}{{ x }}{% endfor %}"
    assert render(body, {"l": ["a"] * MAX_ITEMS}) == "a" * MAX_ITEMS
    with pytest.raises(RenderingFailed, match="loops of more than 200 turns"):
        render(body, {"l": ["a"] * (MAX_ITEMS + 1)})
    with pytest.raises(RenderingFailed, match="turns"):
        render(f"{{% for y in l %}}{body}{{% endfor %}}", {"l": ["a"] * 15})
    long = body + "-" * (MAX_TEXT - len(body))
    turns = MAX_WALK // MAX_TEXT
    assert render(long, {"l": ["a"] * turns}).startswith("a" * turns)
    with pytest.raises(RenderingFailed, match="turns"):
        render(long, {"l": ["a"] * (turns + 1)})
