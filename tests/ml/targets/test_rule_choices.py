"""A label rule made of named choices, as the site's API and its commands give them."""

import pytest

from ml.errors import MisstepError
from ml.targets import LabelRule
from ml.targets.rules import refuse_shares_of_ends


def test_a_rule_is_made_of_named_choices_and_of_no_others():
    assert LabelRule.of({"target": "soft"}) == LabelRule(target="soft")
    numbers = ({"threshold": 1}, {"threshold": "0.5"}, {"minimum_visits": 2.5}, {"automatic_weight": -1.0})
    for choices in ({"colour": "red"}, {"target": "blurred"}, *numbers, {"automatic_weight": float("nan")}):
        with pytest.raises(MisstepError, match="label rule"):
            LabelRule.of(choices)


@pytest.mark.parametrize("method", ["rstar", "rest-mcts"])
@pytest.mark.parametrize(
    "rule", [{"labels": "automatic"}, {"labels": "mixed", "mixture": "agreement_weighted"}]
)
def test_shares_of_distinct_ends_are_no_labels(method, rule):
    soft = LabelRule(**rule, target="soft")
    with pytest.raises(MisstepError, match=f"estimates of {method}, whose shares"):
        refuse_shares_of_ends(soft, [None, method])
    refuse_shares_of_ends(soft, [None, "math-shepherd", "omegaprm"])
    refuse_shares_of_ends(LabelRule(**rule), [method])
    refuse_shares_of_ends(LabelRule("mixed", target="soft", mixture="fusion"), [method])
