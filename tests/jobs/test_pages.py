from __future__ import annotations

import json

import pytest
from django.urls import reverse

from labelsite.jobs.models import Job, JobState, Worker
from labelsite.jobs.workers import say_alive
from tests.factories import make_user
from tests.jobs.conftest import fresh
from tests.jobs.work import make_job, run_and_load

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin(client):
    user = make_user("admin")
    client.force_login(user)
    return user


def test_the_list_shows_every_job_to_an_admin_and_says_which_queue_nobody_serves(client, admin):
    job = make_job("", queue="gpu", created_by=make_user("admin"))
    page = client.get(reverse("jobs:list")).content.decode()
    assert job.title in page
    assert "No worker is running for the queue “gpu”" in page
    say_alive("here", ["default", "gpu"])
    assert "No worker is running for" not in client.get(reverse("jobs:list")).content.decode()


def test_a_worker_that_fell_silent_counts_as_gone(client, admin):
    say_alive("here", ["default"])
    Worker.objects.update(seen_at="2020-01-01T00:00:00Z")
    assert "No worker is running." in client.get(reverse("jobs:list")).content.decode()


def test_a_finished_job_shows_its_log_curves_and_result_and_stops_asking(client, admin):
    reports = "".join(
        f"print(json.dumps({{'progress': {{'done': {n}, 'metrics': {{'loss': {0.00002 * (3 - n)}}}}}}}));"
        for n in range(3)
    )
    job = make_job(
        f"import json, sys; {reports} print('<script>x', file=sys.stderr); print(json.dumps({{'a': 7}}))"
    )
    assert "hx-trigger" in client.get(reverse("jobs:detail", args=[job.pk])).content.decode()
    run_and_load(job.pk)
    page = client.get(reverse("jobs:detail", args=[job.pk]), headers=HTMX).content.decode()
    assert "<polyline" in page and "<html" not in page
    assert "2e-05 – 6e-05" in page
    assert "&lt;script&gt;x" in page and "<script>x" not in page
    assert "hx-trigger" not in page
    assert json.loads((job.folder / "progress.jsonl").read_text().splitlines()[0])["attempt"] == 1


def test_a_person_can_cancel_and_retry_by_the_buttons(client, admin):
    job = make_job("")
    assert client.get(reverse("jobs:cancel", args=[job.pk])).status_code == 405
    client.post(reverse("jobs:cancel", args=[job.pk]))
    assert fresh(job).state == JobState.CANCELLED
    assert "Try again" in client.get(reverse("jobs:detail", args=[job.pk])).content.decode()
    client.post(reverse("jobs:retry", args=[job.pk]))
    assert fresh(job).state == JobState.QUEUED


@pytest.mark.parametrize("name, method", [("detail", "get"), ("cancel", "post"), ("retry", "post")])
def test_owner_and_admin_end_a_job_an_admin_begins_it_anew_a_reviewer_watches_it_and_an_outsider_finds_none(
    client, name, method
):
    owner = make_user("annotator")
    job = make_job("", created_by=owner)
    watched = 200 if name == "detail" else 403
    allowed = 200 if name == "detail" else 302
    owned = 403 if name == "retry" else allowed
    for user, expected in (
        (make_user(), 404), (make_user("reviewer"), watched), (owner, owned), (make_user("admin"), allowed)
    ):  # fmt: skip
        client.force_login(user)
        assert getattr(client, method)(reverse(f"jobs:{name}", args=[job.pk])).status_code == expected
        if expected in (403, 404):
            assert fresh(job).state == JobState.QUEUED
    client.logout()
    assert client.get(reverse("jobs:detail", args=[job.pk])).status_code == 302


@pytest.mark.parametrize("state, button", [(JobState.QUEUED, "Cancel"), (JobState.FAILED, "Try again")])
def test_the_buttons_are_shown_to_those_who_may_press_them(client, state, button):
    owner = make_user("reviewer")
    job = make_job("", created_by=owner)
    Job.objects.update(state=state)
    ends = button == "Cancel"
    for user, shown in ((make_user("reviewer"), False), (owner, ends), (make_user("admin"), True)):
        client.force_login(user)
        page = client.get(reverse("jobs:detail", args=[job.pk])).content.decode()
        assert (f">{button}</button>" in page) is shown
