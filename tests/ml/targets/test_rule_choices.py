"""A label rule made of named choices, as the site's API and its commands give them."""

from dataclasses import asdict

import pytest

from ml.errors import MisstepError
from ml.targets import LabelRule
from ml.targets.named_rules import named_rule, without_idle_parts
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


@pytest.mark.parametrize(
    ("labels", "choices", "complaint"),
    [
        ("human", {"target": "soft"}, "target, which would change nothing in labels human"),
        ("human", {"mixture": "fusion", "minimum_visits": 3}, "mixture, minimum_visits, which would"),
        ("automatic", {"neutral": "drop"}, "neutral, which would change nothing in labels automatic"),
        ("mixed", {"mixture": "consensus", "automatic_weight": 2}, "automatic_weight, which would"),
        ("human", {"labels": "mixed"}, "labels='mixed' beside labels human"),
    ],
)
def test_a_part_of_a_rule_that_would_change_nothing_is_refused_where_somebody_names_it(
    labels, choices, complaint
):
    with pytest.raises(MisstepError, match=complaint):
        named_rule(labels, choices)


def test_a_rule_that_a_manifest_holds_can_be_given_back():
    rule = LabelRule("human", neutral="drop")
    assert named_rule("human", asdict(rule)) == rule
    # Whether there is a second method to agree with, no rule says.
    assert named_rule("automatic", {"mixture": "consensus"}).mixture == "consensus"


@pytest.mark.parametrize(
    "choices", [{"mixture": "fusion", "threshold": 0.3}, {"mixture": "consensus", "given_up": "drop"}]
)
def test_a_part_that_only_alternatives_hear_may_be_named(choices):
    rule = named_rule("mixed", choices)
    assert without_idle_parts(rule) == rule


def test_rules_that_differ_in_parts_without_a_say_are_the_same():
    said = LabelRule("human", neutral="drop", target="soft", mixture="fusion", automatic_weight=3.0)
    assert without_idle_parts(said) == LabelRule("human", neutral="drop")
    consensus = LabelRule("mixed", mixture="consensus", target="soft", threshold=0.5)
    assert without_idle_parts(consensus) == LabelRule("mixed", mixture="consensus", threshold=0.5)
