"""Curves of training runs: a smoothed line says so, and what came last is what was reported."""

from django.utils import translation

from labelsite.jobs.series import curves, read_metrics
from labelsite.training.curves import RunCurves, charts


def losses(count):
    """A loss of 2 that falls to 0.25 with the last update."""
    return {"loss": [(float(update), 2.0) for update in range(1, count)] + [(float(count), 0.25)]}


def test_the_last_value_of_a_smoothed_line_is_the_reported_one():
    (chart,) = charts([RunCurves("long", losses(36))])
    assert "Last: long: 0.25." in chart.description
    assert chart.rows[-1][2] != "0.25"


def test_a_value_without_end_is_no_point_of_a_curve(tmp_path):
    path = tmp_path / "progress.jsonl"
    path.write_text('{"done": 1, "metrics": {"loss": Infinity}}\n{"done": 2, "metrics": {"loss": 0.5}}\n')
    found = read_metrics(path)
    assert found == {"loss": [(2.0, 0.5)]} and charts([RunCurves("a", found)])
    path.write_text(path.read_text() + '{"done": 3, "metrics": {"loss": 0.25}}\n')
    (curve,) = curves(path)
    assert (curve.count, curve.high, curve.last) == (2, 0.5, 0.25)


def test_a_smoothed_chart_says_that_its_points_are_means():
    (chart,) = charts([RunCurves("long", losses(36)), RunCurves("short", losses(5))])
    assert chart.note == "In lines of 36 points or more, each is the mean of 9 neighbors."
    assert "Last: long: 0.25; short: 0.25." in chart.description
    with translation.override("ko"):
        (korean,) = charts([RunCurves("long", losses(36))])
    assert korean.note and korean.note != chart.note


def test_a_chart_of_the_reported_values_says_nothing_of_means():
    (chart,) = charts([RunCurves("short", losses(35))])
    assert chart.note == ""
    assert chart.rows[-1][2] == "0.25"


def test_the_validation_split_has_its_curves_beside_those_of_the_training():
    points = [(2.0, 0.5), (4.0, 0.25)]
    metrics = {"validation_loss": points, "validation_f1": points}
    drawn = charts([RunCurves("run", losses(5) | metrics)])
    titles = [chart.title for chart in drawn]
    assert titles == ["Loss", "Loss on the validation split", "Validation F1"]


def test_an_outcome_model_s_pace_is_drawn_as_what_it_counts():
    (chart,) = charts([RunCurves("run", {"readings_per_second": [(1.0, 9.0), (2.0, 8.0)]})])
    assert chart.title == "Readings per second"
