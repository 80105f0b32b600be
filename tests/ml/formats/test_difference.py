"""Whatever two JSON values are, the difference turns one into the other, and equal values have none."""

from __future__ import annotations

import copy
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from ml.formats.difference import apply, difference

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.floats(0, 1)
    | st.sampled_from(["", "a", "is", "length"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["a", "is", "length", "at", "set", "drop", "in"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(values, values)
def test_applying_the_difference_gives_the_actual_value(derived, actual):
    before = copy.deepcopy(derived)
    remainder = json.loads(json.dumps(difference(derived, actual)))
    assert json.dumps(apply(derived, remainder), sort_keys=True) == json.dumps(actual, sort_keys=True)
    assert derived == before


@settings(deadline=None)
@given(values)
def test_equal_values_have_no_difference(value):
    assert difference(value, copy.deepcopy(value)) is None


def test_numbers_that_python_calls_equal_are_told_apart():
    assert difference({"a": [1]}, {"a": [True]}) == {"in": {"a": {"length": 1, "at": {"0": {"is": True}}}}}


def test_only_what_differs_is_kept():
    derived = {"text": "long " * 100, "rating": None, "items": [{"x": 1}, {"x": 2}]}
    actual = {"text": "long " * 100, "rating": None, "items": [{"x": 1}, {"x": 2, "y": None}], "more": 1}
    assert difference(derived, actual) == {
        "set": {"more": 1},
        "in": {"items": {"length": 2, "at": {"1": {"set": {"y": None}}}}},
    }
