"""Words that remember what stands in them outlive their process; forged ones are refused before anybody says them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ml.said import Said, heard, sayable


def nested(words: str, depth: int, last: str = "a") -> Any:
    return {"text": words, "values": {"a": nested(words, depth - 1, last)}} if depth else last


def test_a_text_is_heard_as_it_was_said() -> None:
    text = Said("100%% of %(found)s: %(0)s", found=Said("%(count)s lines", count=7), **{"0": "%(x)s"})
    told = heard(json.loads(json.dumps(sayable(text))), 100)
    assert isinstance(told, Said) and told == text == "100% of 7 lines: %(x)s"
    assert sayable(told) == sayable(text)
    assert heard(nested("%(a)s", 10), 100) == "a"
    # In 19 places on each of ten levels, and looked at once.
    assert heard(nested("%(a)s" * 19, 10, last=""), 100) == ""
    # What stands nowhere takes no room in anybody's table.
    assert sayable(heard({"text": "a", "values": {"b": "c" * 99}}, 9)) == {"text": "a", "values": {}}
    for plain in ("50% off", Said("50% off")):
        assert heard(sayable(plain), 100) == "50% off"


@pytest.mark.parametrize(
    "forged",
    [
        None,
        7,
        ["text"],
        {"text": "a"},
        {"text": 7, "values": {}},
        {"text": "%(a)s", "values": {"b": "c"}},
        {"text": "%(a)s" * 10, "values": {"a": "11 letters."}},
        {"text": "%(a)999999999d", "values": {"a": 7}},
        {"text": "%(a)*s", "values": {"a": "b"}},
        {"text": "%s", "values": {"a": "b"}},
        {"text": "%(a)s", "values": {"a": 0.5}},
        {"text": "%(words)s", "values": {"words": "a"}},
        "x" * 101,
        nested("%(a)s" * 20, 2),
        nested("%(a)s", 11),
    ],
    ids=lambda forged: json.dumps(forged)[:30],
)
def test_what_no_text_was_made_of_is_refused(forged: Any) -> None:
    with pytest.raises(ValueError, match="at most 100 characters"):
        heard(forged, 100)
