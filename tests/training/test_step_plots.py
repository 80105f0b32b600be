"""The charts of an evaluation's steps are drawn from the curves as they are."""

import numpy as np
import pytest

from labelsite.training.plots import evaluation_charts
from labelsite.training.services import start_training
from ml.evaluation.step_curves import step_report
from tests.factories import make_evaluation
from tests.training.test_pages import make_checkpoint, make_snapshot

pytestmark = pytest.mark.django_db


def test_precision_falls_with_each_false_alarm_at_the_recall_where_it_is():
    scores = [[0.1], [0.2], [0.3], [0.4], [0.9]]
    steps = step_report(scores, [0, None, None, 0, None])
    checkpoint = make_checkpoint(start_training(make_snapshot(), "mixed"))
    evaluation = make_evaluation(checkpoint, {"steps": steps})
    charts = {chart.title: chart for chart in evaluation_charts(evaluation)}
    drawn = [(float(recall), float(precision)) for _, recall, precision in charts["Precision"].rows]
    expected = [(0.5, 1), (0.5, 1 / 2), (0.5, 1 / 3), (1, 2 / 4), (1, 2 / 5)]
    assert np.allclose(drawn, expected, atol=1e-3)
