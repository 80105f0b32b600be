"""Where a view has no label to compare, the pages say that, and neither that nobody labelled nor that they agree."""

from __future__ import annotations

import pytest
from django.urls import reverse

from labelsite.annotations.models import Exposure, FinishReason
from tests.factories import (
    log_in,
    make_annotation,
    make_campaign,
    make_estimate_run,
    make_estimates,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db
NOBODY, NO_LABEL = "Nobody has labelled here yet", "None of the labels chosen above can be compared."
NONE, AGREED = "<p>None.</p>", "None. Here they agree."


@pytest.fixture
def reviewer(client):
    return log_in(client, "reviewer")


@pytest.fixture
def task():
    """A run and nobody yet say where its first mistake is."""
    run = make_estimate_run()
    task = make_task(make_campaign(estimate_run=run), make_solution(["One.", "Two."]), overlap=2)
    make_estimates(task.solution, [1.0, 0.0], run, 1)
    return task


def pages(client, task, **asked):
    names = ("comparison:campaign", "comparison:disagreements")
    return [client.get(reverse(name, args=[task.campaign_id]), asked).text for name in names]


def test_where_nobody_labelled_the_page_says_so_and_the_list_has_none(client, reviewer, task):
    page, listed = pages(client, task)
    assert NOBODY in page and NO_LABEL not in page
    assert NONE in listed and AGREED not in listed


def test_where_no_label_is_blind_people_have_labelled_all_the_same(client, reviewer, task):
    make_annotation(task, make_user(), [1, -1], exposure=Exposure.BEFORE)
    page, listed = pages(client, task, blind=1)
    assert NO_LABEL in page and NOBODY not in page
    assert NONE in listed and AGREED not in listed
    page, listed = pages(client, task)
    assert NO_LABEL not in page and AGREED in listed


def test_who_only_gave_up_has_no_label_to_compare(client, reviewer, task):
    make_annotation(task, make_user(), [1, -1])
    quitter = make_user()
    make_annotation(task, quitter, [1], finish_reason=FinishReason.GIVE_UP, reason="too hard")
    page, listed = pages(client, task, of=quitter.pk)
    assert NO_LABEL in page and NOBODY not in page
    assert NONE in listed and AGREED not in listed


def test_nobody_agrees_with_a_run_that_cannot_say_where_the_first_mistake_is(client, reviewer, task):
    make_annotation(task, make_user(), [1, -1])
    task.solution.estimates.update(first_mistake=None, is_known=False)
    _page, listed = pages(client, task)
    assert NONE in listed and AGREED not in listed


def test_a_list_that_compares_nobody_with_a_run_has_none(client, reviewer, task):
    make_annotation(task, make_user(), [1, -1])
    _page, listed = pages(client, task, kind="unmarked")
    assert NONE in listed and AGREED not in listed
