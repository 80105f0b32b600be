"""A job's spec may name 100,000 solutions: what only looks at jobs does not read it, however often it looks."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from labelsite.jobs import services
from labelsite.jobs.lease import claim
from labelsite.jobs.models import Job
from tests.factories import make_user
from tests.jobs.work import make_job

pytestmark = pytest.mark.django_db


def read_columns(queries: CaptureQueriesContext) -> set[str]:
    """The columns of jobs that the captured queries fetch."""
    return {
        column
        for query in queries.captured_queries
        if (listed := re.match(r"SELECT (.*?) FROM ", query["sql"]))
        for column in re.findall(r'"jobs_job"\."(\w+)"', listed[1])
    }


@pytest.mark.parametrize("htmx", [False, True])
def test_the_list_of_jobs_reads_no_spec_and_no_result(client: Client, htmx: bool) -> None:
    for _ in range(3):
        make_job("")
    client.force_login(make_user("reviewer"))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = client.get(reverse("jobs:list"), headers={"HX-Request": "true"} if htmx else {})
    assert page.content.decode().count("a test") == 3
    assert "title" in read_columns(queries) and not read_columns(queries) & {"spec", "result"}


def test_one_job_is_shown_and_cancelled_without_its_spec(client: Client) -> None:
    job = make_job("")
    client.force_login(make_user("admin"))
    with CaptureQueriesContext(connection) as queries:
        client.get(reverse("jobs:detail", args=[job.pk]))
        client.post(reverse("jobs:cancel", args=[job.pk]))
        client.get("/api/v1/jobs/")
        client.get(f"/api/v1/jobs/{job.pk}/")
    assert "result" in read_columns(queries) and "spec" not in read_columns(queries)


def test_what_the_poller_looks_at_every_second_has_no_spec_and_no_result() -> None:
    waiting = make_job("")
    running = make_job("")
    claim(running.pk)
    Job.objects.filter(pk=running.pk).update(
        holder="another-machine/ 1 abc", expires_at="2020-01-01T00:00:00Z"
    )
    with CaptureQueriesContext(connection) as queries:
        assert services.reap() == [running]
        assert waiting in Job.objects.waiting("default")
    assert "title" in read_columns(queries) and not read_columns(queries) & {"spec", "result"}


def test_a_title_is_cut_to_its_room_so_that_no_work_is_refused_for_a_long_name() -> None:
    job = services.enqueue("django", "import", task_name="work", title="x" * 300)
    assert Job.objects.get(pk=job.pk).title == "x" * 200
