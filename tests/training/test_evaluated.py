"""A checkpoint's page draws what was measured last of each campaign; what was measured before is a link away."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from labelsite.jobs.models import Job, JobState
from labelsite.training.models import Evaluation
from labelsite.training.services import start_training
from tests.factories import log_in, make_evaluation, make_job
from tests.training.test_pages import make_checkpoint, make_snapshot

pytestmark = pytest.mark.django_db


@pytest.fixture
def checkpoint(client):
    log_in(client, "reviewer")
    return make_checkpoint(start_training(make_snapshot(), "mixed"))


def measured(checkpoint, kind="first-mistake", data="sums"):
    return make_evaluation(checkpoint, {"count": 10}, kind, data)


def evaluating(checkpoint, state):
    job = make_job(verb="evaluate")
    Job.objects.filter(pk=job.pk).update(state=state)
    return Evaluation.objects.create(checkpoint=checkpoint, kind="first-mistake", data="sums", job=job)


def shown(client, checkpoint, **asked):
    """The evaluations that are drawn, and those that are only named."""
    page = client.get(reverse("training:checkpoint", args=[checkpoint.pk]), asked)
    drawn = [each.pk for each, _charts, _choices in page.context["evaluations"]]
    for each in page.context["earlier"]:
        assert f'href="?evaluation={each.pk}#evaluation-{each.pk}"' in page.text
    return drawn, [each.pk for each in page.context["earlier"]]


def test_the_newest_of_each_kind_and_campaign_is_drawn_and_an_earlier_one_where_it_is_asked_for(
    client, checkpoint
):
    first, other, choice, newest = (
        measured(checkpoint).pk,
        measured(checkpoint, data="words").pk,
        measured(checkpoint, kind="best-of-n").pk,
        measured(checkpoint).pk,
    )
    assert shown(client, checkpoint) == ([newest, choice, other], [first])
    assert shown(client, checkpoint, evaluation=first) == ([newest, choice, other, first], [])


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.FAILED])
def test_what_has_measured_nothing_yet_takes_no_figures_off_the_page(client, checkpoint, state):
    first = measured(checkpoint).pk
    assert shown(client, checkpoint) == ([first], [])
    without = evaluating(checkpoint, state).pk
    assert shown(client, checkpoint) == ([without, first], [])
    # Once a newer one has figures, only what still works stays in sight.
    newest = measured(checkpoint).pk
    moving = [without] if state == JobState.RUNNING else []
    failed = [without] if state == JobState.FAILED else []
    assert shown(client, checkpoint) == ([newest, *moving], [*failed, first])


def test_what_is_not_drawn_is_not_read(client, checkpoint):
    def queries():
        with CaptureQueriesContext(connection) as asked:
            client.get(reverse("training:checkpoint", args=[checkpoint.pk]))
        return [query["sql"] for query in asked]

    newest = [measured(checkpoint) for _ in range(3)][-1].pk
    reading = [sql for sql in queries() if '"jobs_job"."result",' in sql]
    assert len(reading) == 1 and f"IN ({newest})" in reading[0]


def test_the_page_asks_anew_for_what_it_shows(client, checkpoint):
    evaluating(checkpoint, JobState.RUNNING)
    address = reverse("training:checkpoint", args=[checkpoint.pk])
    assert f'hx-get="{address}?evaluation=7"' in client.get(address, {"evaluation": 7}).text
