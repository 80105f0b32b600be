"""Lists of searches, trainings and snapshots leave the long columns of what they list in the database."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from labelsite.training.services import start_training
from tests.factories import log_in, make_estimate_run
from tests.training.test_pages import make_checkpoint, make_snapshot

pytestmark = pytest.mark.django_db
LONG = {
    "training:list": [
        '"jobs_job"."spec"',
        '"jobs_job"."result"',
        '"training_trainingrun"."configuration"',
        '"training_checkpoint"."card"',
        '"snapshots_snapshot"."manifest"',
    ],
    "training:run": [
        '"jobs_job"."spec"',
        '"jobs_job"."result"',
        '"training_checkpoint"."card"',
        '"snapshots_snapshot"."manifest"',
    ],
    "snapshots:list": ['"snapshots_snapshot"."manifest"'],
    "autolabels:list": ['"autolabels_estimaterun"."parameters"'],
}


@pytest.fixture
def run(client):
    """A training with its checkpoint, and a search."""
    log_in(client, "admin")
    make_estimate_run(name="A search")
    found = start_training(make_snapshot(), "mixed")
    figures = {"f1": 0.875, "count_wrong": 3, "count_right": 2}
    make_checkpoint(found, metrics={"validation": figures})
    return found


def whole(column, sql):
    """Whether the query asks for the column itself; one figure out of it is asked for by an operator behind it."""
    behind = [part[:4] for part in sql.split(column)[1:]]
    return any(not part.startswith((" ->", " #>")) for part in behind)


@pytest.mark.parametrize("name", ["training:list", "training:run", "snapshots:list", "autolabels:list"])
def test_a_list_and_a_polled_page_read_no_long_column_whole(client, run, name):
    address = reverse(name, args=[run.pk] if name == "training:run" else [])
    with CaptureQueriesContext(connection) as queries:
        page = client.get(address)
    assert page.status_code == 200
    read = [
        (column, query["sql"]) for column in LONG[name] for query in queries if whole(column, query["sql"])
    ]
    assert not read


def test_the_lists_show_the_figures_of_what_they_left_there(client, run):
    assert "0.875" in client.get(reverse("training:list")).content.decode()
    counts = run.snapshot.manifest["counts"]
    page = client.get(reverse("snapshots:list"))
    assert [(each.row_count, each.step_count) for each in page.context["snapshots"]] == [
        (counts["rows"], counts["labelled_steps"])
    ]
    option = f"{run.snapshot.name} · people&#x27;s and automatic labels · {counts['rows']}"
    assert option in client.get(reverse("training:start")).content.decode()


def test_the_list_needs_few_queries(client, django_assert_max_num_queries):
    log_in(client, "reviewer")
    for snapshot in [make_snapshot()] * 5:
        start_training(snapshot, "mixed")
    with django_assert_max_num_queries(6):
        client.get(reverse("training:list"))
