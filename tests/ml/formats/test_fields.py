"""One field of a record that is not what the format says is refused with what it should be."""

import pytest

from ml.formats import fields
from ml.formats.lines import Unreadable


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3_000_000_000, "a whole number from 0 to 2147483647"),
        (-1, "a whole number of at least 0"),
        (1.5, "a whole number of at least 0"),
        (True, "a whole number of at least 0"),
    ],
)
def test_a_number_above_the_largest_is_told_it_and_others_only_the_least(value, expected):
    with pytest.raises(Unreadable) as refused:
        fields.integer({"total_time": value}, "total_time")
    assert str(refused.value.expected) == expected
