"""Figures on pages are rounded, and not cut off."""

import pytest
from django.template import Context, Template
from django.urls import reverse
from django.utils import translation

from labelsite.autolabels.plots import Series, bar_chart, line_chart
from labelsite.autolabels.templatetags.figures import (
    measure,
    measures,
    percent,
    percents,
    seconds,
    signed,
    threshold,
)
from tests.factories import log_in, make_estimate_run


@pytest.mark.parametrize("language", ["en", "ko"])
def test_two_thirds_are_rounded_up(language):
    with translation.override(language):
        assert (percent(2 / 3), measure(2 / 3), signed(2 / 3)) == ("66.7 %", "0.667", "+0.67")
        assert (percent(1.0), measure(0.9996), signed(-0.005001)) == ("100.0 %", "1.000", "−0.01")


def test_a_count_has_separators_and_still_chooses_its_plural():
    nodes = (
        "{% blocktranslate count n=n|counted %}{{ n }} node{% plural %}{{ n }} nodes{% endblocktranslate %}"
    )
    told = Template("{% load figures i18n %}{{ n|counted }}: " + nodes)
    assert told.render(Context({"n": 1})) == "1: 1 node"
    assert told.render(Context({"n": 1234567})) == "1,234,567: 1,234,567 nodes"
    assert Template("{% load figures %}{{ n|counted }}").render(Context({"n": "–"})) == "–"


def test_a_duration_has_the_reader_s_units():
    assert [seconds(49), seconds(720), seconds(5400)] == ["49 s", "12 min", "1.5 h"]
    with translation.override("ko"):
        assert [seconds(49), seconds(720), seconds(5400)] == ["49초", "12분", "1.5시간"]


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([f"0.{place}" for place in range(10)], 10),
        # With a sign before it each name is as wide as its bar's place on a narrow page.
        ([f"−0.{place}" for place in range(10)], 5),
    ],
)
def test_names_under_bars_are_left_out_evenly_where_they_would_touch(names, shown):
    chart = bar_chart("bars", "Bars", "Some bars.", [(name, 1) for name in names], "", "")
    assert sum(f">{name}</text>" in chart.svg for name in names) == shown
    assert len(chart.rows) == 10


def test_an_interval_is_one_short_span():
    assert measures((0.304, 0.589)) == "0.304–0.589"
    assert measures(None) == measures((float("nan"), 1.0)) == "–"
    assert percents((0.304, 0.589)) == "30.4–58.9 %"
    assert percents(None) == percents((float("nan"), 1.0)) == "–"


@pytest.mark.django_db
def test_a_run_that_was_imported_promises_no_sandbox_and_no_jobs(client):
    log_in(client, "reviewer")
    page = client.get(reverse("autolabels:run", args=[make_estimate_run(method="math_aps").pk]))
    facts = page.content.decode()
    assert "known when it is done" not in facts and "<dt>Jobs</dt>" not in facts


@pytest.mark.parametrize(
    ("value", "said"), [(0.5, "0.500"), (0.000147, "0.000147"), (0.00999, "0.010"), (None, "–")]
)
def test_a_threshold_near_zero_is_not_called_zero(value, said):
    assert threshold(value) == said


def test_one_line_left_of_several_still_says_whose_it_is():
    drawn = [Series("kept", [(0, 1), (1, 2)], "plot-b")]
    assert line_chart("c", "t", "d", drawn, "x", "y").legend == [("plot-b", "kept")]
    assert not line_chart("c", "t", "d", [Series("only", [(0, 1), (1, 2)])], "x", "y").legend
