"""Pages that ask anew every two seconds leave the long columns of score jobs in the database."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from labelsite.jobs.models import Job
from labelsite.training.services import start_training
from tests.factories import log_in, make_campaign, make_task
from tests.training.test_pages import make_checkpoint, make_snapshot

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    return make_campaign("Sums")


@pytest.fixture
def run(client, campaign):
    """A scoring of the campaign, on its way."""
    log_in(client, "admin")
    make_task(campaign)
    checkpoint = make_checkpoint(start_training(make_snapshot(), "mixed"))
    client.post(reverse("training:score", args=[checkpoint.pk]), {"campaign": campaign.pk})
    return checkpoint.score_runs.get()


def asked(client, address):
    """The page, and what it asked of the jobs' table."""
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = client.get(address)
    return page, [query["sql"] for query in queries if '"jobs_job"' in query["sql"]]


def test_a_checkpoint_s_page_reads_no_spec_and_no_result_of_its_scorings(client, run):
    page, queries = asked(client, reverse("training:checkpoint", args=[run.checkpoints.get().pk]))
    assert escape(run.name) in page.content.decode()
    of_scorings = [sql for sql in queries if "autolabels_scorerun" in sql]
    assert of_scorings
    # A field that was left out and then asked for would be read by a query of its own.
    others = [sql for sql in queries if "training_evaluation" not in sql]
    assert not [sql for sql in others if '"jobs_job"."spec"' in sql or '"jobs_job"."result"' in sql]


def test_a_scoring_s_page_reads_only_the_campaign_of_the_job_s_spec(client, run, campaign):
    result = {"before": [], "after": [], "solutions": 3, "steps": 7}
    Job.objects.filter(pk=run.job_id).update(state="done", result=result)
    page, queries = asked(client, reverse("training:scores", args=[run.pk]))
    assert page.context["campaign"] == campaign
    naming = [sql for sql in queries if '"jobs_job"."spec"' in sql]
    assert naming and all(
        sql.count('"jobs_job"."spec"') == sql.count('"jobs_job"."spec" -> ') for sql in naming
    )
    assert naming[0].count('"jobs_job"."spec"') == 1


def test_a_refused_scoring_leaves_its_campaign_chosen(client, run, campaign):
    other = make_campaign("Empty")
    checkpoint = run.checkpoints.get()
    for verb in ("score", "evaluate"):
        asked_for = {"campaign": other.pk, "kind": "first-mistake"}
        page = client.post(reverse(f"training:{verb}", args=[checkpoint.pk]), asked_for, follow=True)
        assert page.content.decode().count(f'value="{other.pk}" selected') == 2
    page = client.get(reverse("training:checkpoint", args=[checkpoint.pk]))
    assert f'value="{other.pk}" selected' not in page.content.decode()
