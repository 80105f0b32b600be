"""The chart of exactness by place says of which threshold it is: the figures beside it are of another one."""

import pytest

from labelsite.training.plots import evaluation_charts
from labelsite.training.services import start_training
from ml.evaluation.first_mistake import first_mistake_report
from tests.factories import make_evaluation
from tests.training.test_pages import make_checkpoint, make_snapshot

pytestmark = pytest.mark.django_db
SCORES, TRUTHS = [[0.9, 0.2], [0.8, 0.6]], [1, None]


def note_of(report):
    evaluation = make_evaluation(make_checkpoint(start_training(make_snapshot(), "mixed")), report)
    charts = {chart.title: chart for chart in evaluation_charts(evaluation)}
    return charts["Exact, by where the first mistake is"].note


def test_a_threshold_that_was_chosen_on_these_very_solutions_is_told_with_the_chart():
    told = (
        "with the threshold 0.400, which suits these very solutions; the figures above have the other half's"
    )
    assert note_of(first_mistake_report(SCORES, TRUTHS)) == told


def test_a_threshold_from_elsewhere_is_no_such_thing():
    assert note_of(first_mistake_report(SCORES, TRUTHS, threshold=0.5)) == ""
