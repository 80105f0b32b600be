"""A script runs the loop's other doors: campaigns, imports, snapshots, jobs; and who may not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from labelsite.accounts.models import User
from labelsite.annotations import uploads
from labelsite.campaigns.models import Campaign, Task
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.tasks import run_here
from labelsite.snapshots import freezing
from tests.annotations.test_import import processbench_line
from tests.factories import make_annotation, make_campaign, make_job, make_task, make_user

pytestmark = pytest.mark.django_db
CAMPAIGNS, IMPORTS, JOBS, SNAPSHOTS = (
    f"/api/v1/{name}/" for name in ("campaigns", "imports", "jobs", "snapshots")
)


def upload(client: APIClient, body: bytes, **fields: Any) -> Any:
    file = SimpleUploadedFile("solutions.jsonl", body)
    return client.post(IMPORTS, {"file": file, "campaign": "By script", **fields}, format="multipart")


def test_an_import_is_a_job_that_ends_in_tasks(admin: APIClient):
    body = "".join(processbench_line(index) + "\n" for index in range(3)).encode()
    response = upload(admin, body)
    assert response.status_code == 202
    job = response.json()
    assert (job["state"], job["verb"]) == ("queued", "import")
    run_here(Job.objects.get(pk=job["id"]))
    done = admin.get(f"{JOBS}{job['id']}/").json()
    assert (done["state"], done["result"]["new_tasks"]) == ("done", 3)
    assert Task.objects.filter(campaign__name="By script").count() == 3


def test_a_file_of_no_known_format_is_refused_and_forgotten(admin: APIClient):
    response = upload(admin, b'{"hello": 1}\n')
    assert (response.status_code, response.json()["code"]) == (422, "refused")
    assert "expected one of processbench" in response.json()["detail"]
    assert list(uploads._folder().iterdir()) == []
    assert upload(admin, b'{"hello": 1}\n', format="excel").status_code == 400


def test_a_campaign_is_made_changed_and_listed(admin: APIClient, ann: User):
    made = admin.post(CAMPAIGNS, {"name": "New", "overlap": 3, "members": ["ann"]}, format="json")
    assert made.status_code == 201, made.content
    campaign = Campaign.objects.get()
    assert (campaign.overlap, campaign.memberships.get().user) == (3, ann)
    url = f"{CAMPAIGNS}{campaign.pk}/"
    assert admin.patch(url, {"guideline": "Look twice."}, format="json").json()["guideline_version"] == 2
    assert [found["name"] for found in admin.get(CAMPAIGNS).json()["results"]] == ["New"]


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "Old"},
        {"name": "x", "overlap": 0},
        {"name": "x", "exposure": "always"},
        {"name": "x", "members": ["nobody"]},
        {"name": "x", "gold_rate": 2},
    ],
)
def test_a_campaign_with_a_wrong_field_is_refused_with_the_fields_name(admin: APIClient, fields: dict):
    make_campaign("Old")
    response = admin.post(CAMPAIGNS, fields, format="json")
    assert response.status_code == 400
    assert list(response.json()["errors"]) == [list(fields)[-1]]
    assert Campaign.objects.count() == 1


def test_a_snapshot_is_frozen_looked_at_and_downloaded(admin: APIClient, reviewer: APIClient):
    campaign = make_campaign()
    make_annotation(make_task(campaign), make_user(), [1, 0])
    wanted = {"campaign": campaign.pk, "labels": "human", "name": "S", "rule": {"neutral": "negative"}}
    made = admin.post(SNAPSHOTS, wanted, format="json")
    assert made.status_code == 201, made.content
    url = f"{SNAPSHOTS}{made.json()['id']}/"
    assert reviewer.get(url).json()["rule"]["neutral"] == "negative"
    assert reviewer.get(f"{url}manifest/").json()["sha256"] == made.json()["sha256"]
    (row,) = read_lines(reviewer.get(f"{url}parts/0/"))
    assert row["labels"] == [1.0, 0.0]
    assert read_lines(reviewer.get(f"{url}stepwise/"))[0]["labels"] == [True, False]
    assert len(read_lines(reviewer.get(f"{url}prm800k/"))) == 1
    assert reviewer.get(f"{url}stepwise/?neutral=maybe").status_code == 422
    assert reviewer.get(f"{url}parts/1/").status_code == 404
    assert [found["name"] for found in reviewer.get(SNAPSHOTS).json()["results"]] == ["S"]


def read_lines(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200
    return [json.loads(line) for line in b"".join(response.streaming_content).decode().splitlines()]


def test_a_snapshot_of_nothing_or_by_an_unknown_rule_is_refused(admin: APIClient):
    campaign = make_campaign()
    refused = admin.post(SNAPSHOTS, {"campaign": campaign.pk, "labels": "human"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (422, "refused")
    for rule in ({"colour": "red"}, {"neutral": "maybe"}, {"threshold": "0.5"}, ["hard"]):
        wrong = admin.post(
            SNAPSHOTS, {"campaign": campaign.pk, "labels": "human", "rule": rule}, format="json"
        )
        assert (wrong.status_code, list(wrong.json()["errors"])) == (400, ["rule"])
    idle = {"campaign": campaign.pk, "labels": "human", "rule": {"target": "soft"}}
    refused = admin.post(SNAPSHOTS, idle, format="json").json()["errors"]["rule"]
    assert "target, which would change nothing in labels human" in str(refused)


def test_a_large_campaign_is_frozen_by_a_job(admin: APIClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(freezing, "TASKS_AT_ONCE", 0)
    campaign = make_campaign()
    make_annotation(make_task(campaign), make_user())
    queued = admin.post(SNAPSHOTS, {"campaign": campaign.pk, "labels": "human"}, format="json")
    assert queued.status_code == 202
    run_here(Job.objects.get(pk=queued.json()["id"]))
    snapshot = admin.get(f"{JOBS}{queued.json()['id']}/").json()["result"]["snapshot"]
    assert admin.get(f"{SNAPSHOTS}{snapshot}/").json()["counts"]["rows"] == 1


def test_jobs_are_cancelled_retried_and_filtered(admin: APIClient):
    job = make_job()
    url = f"{JOBS}{job.pk}/"
    assert admin.post(f"{url}retry/").json()["code"] == "refused"
    assert admin.post(f"{url}cancel/").json()["state"] == "cancelled"
    assert admin.get(f"{JOBS}?state=queued").json()["results"] == []
    assert admin.post(f"{url}retry/").json()["state"] == "queued"
    assert [found["id"] for found in admin.get(f"{JOBS}?state=queued").json()["results"]] == [job.pk]


def test_an_admin_or_who_started_it_ends_a_job_an_admin_begins_it_anew_and_a_reviewer_only_watches(
    admin: APIClient, reviewer: APIClient, annotator: APIClient, ann: User
):
    job = make_job(created_by=ann)
    url = f"{JOBS}{job.pk}/"
    assert reviewer.get(url).status_code == 200
    assert [reviewer.post(f"{url}{name}/").status_code for name in ("cancel", "retry")] == [403, 403]
    assert annotator.post(f"{url}cancel/").json()["state"] == "cancelled"
    assert reviewer.post(f"{url}retry/").status_code == 403
    # What an admin started is not begun anew by who is an admin no more.
    assert annotator.post(f"{url}retry/").status_code == 403
    assert admin.post(f"{url}retry/").json()["state"] == "queued"


def test_unknown_filters_are_refused_and_reach_no_query(admin: APIClient):
    for query in (
        "?created_by__password__startswith=p",
        "?state=queued'--",
        "?ordering=created_by__password",
    ):
        response = admin.get(JOBS + query)
        assert (response.status_code, response.json()["code"]) == (400, "malformed")
        assert "expected" in response.json()["detail"]


def test_an_annotator_sees_own_jobs_only(annotator: APIClient, outsider: APIClient, ann: User):
    mine, other = make_job(created_by=ann), make_job(created_by=make_user())
    assert [found["id"] for found in annotator.get(JOBS).json()["results"]] == [mine.pk]
    for client, job in ((annotator, other), (outsider, mine)):
        for name in ("", "cancel/", "retry/"):
            url = f"{JOBS}{job.pk}/{name}"
            assert (client.post(url) if name else client.get(url)).status_code == 404
    assert set(Job.objects.values_list("state", flat=True)) == {JobState.QUEUED}


def test_who_may_do_what(
    admin: APIClient, reviewer: APIClient, annotator: APIClient, outsider: APIClient, ann: User
):
    """Rows: what is asked. Columns: admin, reviewer, member, outsider, nobody."""
    campaign = make_campaign("C", members=[ann])
    make_annotation(make_task(campaign, overlap=9), make_user())
    frozen = {"campaign": campaign.pk, "labels": "human"}
    snapshot = admin.post(SNAPSHOTS, frozen, format="json").json()["id"]
    one = f"{CAMPAIGNS}{campaign.pk}/"
    table: list[tuple[str, str, Any, list[int]]] = [
        ("get", CAMPAIGNS, None, [200, 200, 200, 200, 401]),
        ("post", CAMPAIGNS, {}, [400, 403, 403, 403, 401]),
        ("get", one, None, [200, 200, 200, 404, 401]),
        ("patch", one, {}, [200, 403, 403, 403, 401]),
        ("post", f"{one}next/", {}, [200, 200, 200, 404, 401]),
        ("get", f"{one}annotations/", None, [200, 403, 403, 403, 401]),
        ("post", IMPORTS, {}, [400, 403, 403, 403, 401]),
        ("get", JOBS, None, [200, 200, 200, 200, 401]),
        ("get", SNAPSHOTS, None, [200, 200, 403, 403, 401]),
        ("post", SNAPSHOTS, frozen, [201, 403, 403, 403, 401]),
        ("get", f"{SNAPSHOTS}{snapshot}/", None, [200, 200, 403, 403, 401]),
        ("get", f"{SNAPSHOTS}{snapshot}/manifest/", None, [200, 200, 403, 403, 401]),
        ("get", f"{SNAPSHOTS}{snapshot}/parts/0/", None, [200, 200, 403, 403, 401]),
        ("get", f"{SNAPSHOTS}{snapshot}/prm800k/", None, [200, 200, 403, 403, 401]),
        ("get", f"{SNAPSHOTS}{snapshot}/stepwise/", None, [200, 200, 403, 403, 401]),
    ]
    scripts = [admin, reviewer, annotator, outsider, APIClient()]
    for method, url, body, expected in table:
        format = "multipart" if url == IMPORTS else "json"
        got = [getattr(script, method)(url, body, format=format).status_code for script in scripts]
        assert got == expected, f"{method} {url}"


def test_an_outsiders_list_is_empty(outsider: APIClient, ann: User):
    make_campaign(members=[ann])
    assert outsider.get(CAMPAIGNS).json()["results"] == []
