"""What providers tell, case by case, and that nothing else gets through."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.feedback import Feedback, NoFeedback, feedback_of

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "cases" / "feedback.json").read_text())["cases"]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_what_a_provider_tells(case: dict[str, Any]) -> None:
    if isinstance(case["says"], str):
        with pytest.raises(NoFeedback, match=case["says"]):
            feedback_of(case["body"], "test")
        return
    found = feedback_of(case["body"], "test")
    blank = asdict(Feedback("delivered", "email", "", 0))
    assert (asdict(found) if found is not None else None) == (blank | case["says"] if case["says"] is not None else None)


@given(st.sampled_from([case["body"] for case in CASES]), st.data())
def test_a_body_that_is_spoilt_is_refused_and_never_breaks(body: dict[str, Any], data: st.DataObject) -> None:
    spoilt = json.loads(json.dumps(body))
    place: Any = spoilt
    while True:
        key = data.draw(st.sampled_from(sorted(place)))
        if not (isinstance(place[key], dict) and place[key] and data.draw(st.booleans())):
            break
        place = place[key]
    place[key] = data.draw(values)
    try:
        found = feedback_of(spoilt, "test")
    except NoFeedback:
        return
    assert found is None or isinstance(found, Feedback)


def test_a_refusal_quotes_no_address() -> None:
    bounce = {"bounceType": "Permanent", "bouncedRecipients": ["anna@example.com"]}
    detail = {"eventType": "Bounce", "bounce": bounce, "mail": {"tags": {"tenant": ["demo"], "member": ["m"]}}}
    with pytest.raises(NoFeedback) as refused:
        feedback_of({"source": "aws.ses", "detail": detail}, "test")
    assert "anna" not in str(refused.value)
