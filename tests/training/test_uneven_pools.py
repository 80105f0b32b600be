"""A best-of-n of problems with different numbers of solutions, as a page shows it."""

from __future__ import annotations

import pytest
from django.urls import reverse

from labelsite.training.plots import choices, evaluation_charts
from labelsite.training.services import start_training
from tests.factories import log_in, make_evaluation
from tests.training.test_pages import make_checkpoint, make_snapshot

pytestmark = pytest.mark.django_db


def shown(problems):
    rows = [
        {"source": None, "rule": "majority", "n": n, "accuracy": 0.5 + n / 100, "low": 0.1, "high": 0.9, **of}
        for n, of in problems
    ]
    checkpoint = make_checkpoint(start_training(make_snapshot(), "mixed"))
    return make_evaluation(checkpoint, {"problems": 6, "rows": rows}, kind="best-of-n")


def test_the_choice_is_among_as_many_as_every_problem_has_and_the_lines_say_where_fewer_count():
    evaluation = shown([(1, {"problems": 6}), (3, {"problems": 6}), (16, {"problems": 5})])
    assert [choice.accuracy for choice in choices(evaluation)] == [0.53]
    notes = {chart.note for chart in evaluation_charts(evaluation)}
    assert notes == {"Beyond 3, only problems with as many solutions."}


def test_the_page_says_among_how_many_the_rules_of_its_table_choose(client):
    log_in(client, "reviewer")
    evaluation = shown([(1, {"problems": 6}), (3, {"problems": 6}), (16, {"problems": 5})])
    page = client.get(reverse("training:checkpoint", args=[evaluation.checkpoint_id])).text
    assert "of 6 problems. Each rule of the table chooses among 3 of a problem;" in page


def test_where_nothing_has_an_answer_no_vote_is_drawn():
    evaluation = shown([(1, {}), (16, {})])
    kept = [{**row, "rule": rule} for row in evaluation.job.result["rows"] for rule in ("minimum", "oracle")]
    evaluation.job.result = {"problems": 6, "rows": kept}
    assert {choice.rule for choice in choices(evaluation)} == {"minimum", "oracle"}
    assert [chart.title for chart in evaluation_charts(evaluation)] == ["Best of n"]


def test_equal_pools_are_shown_as_they_were():
    evaluation = shown([(1, {}), (16, {})])
    assert [choice.accuracy for choice in choices(evaluation)] == [0.66]
    assert {chart.note for chart in evaluation_charts(evaluation)} == {""}
