"""A label rule made of named choices, as the site's API and its commands give them."""

import pytest

from ml.errors import MisstepError
from ml.targets import LabelRule


def test_a_rule_is_made_of_named_choices_and_of_no_others():
    assert LabelRule.of({"target": "soft"}) == LabelRule(target="soft")
    for choices in ({"colour": "red"}, {"target": "blurred"}):
        with pytest.raises(MisstepError, match="label rule"):
            LabelRule.of(choices)
