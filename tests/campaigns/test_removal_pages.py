"""The pages on which an admin takes solutions out again: the numbers first, then the deed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import translation

from labelsite.annotations import uploads
from labelsite.annotations.tasks import run_import
from labelsite.campaigns import removal
from labelsite.campaigns.models import Campaign
from labelsite.jobs.models import Job
from tests.annotations.test_import import processbench_line
from tests.campaigns.imports import brought_at
from tests.factories import log_in, make_annotation, make_campaign, make_user

pytestmark = pytest.mark.django_db

MOMENT = datetime(2026, 3, 1, 9, 30, 15, 123456, tzinfo=UTC)
KEY = "2026-03-01T09:30:15.123456Z"


@pytest.fixture
def campaign() -> Campaign:
    """An import of three, of which a person has labelled the first."""
    campaign = make_campaign("Misspelt")
    first, *_rest = brought_at(campaign, 3, MOMENT)
    make_annotation(first, make_user(username="ann"))
    return campaign


@pytest.fixture
def admin(client: Client) -> Client:
    log_in(client, "admin")
    return client


def test_the_numbers_and_the_reasons_stand_before_the_button(admin: Client, campaign: Campaign):
    listed = admin.get(f"/campaigns/{campaign.pk}/imports/").content.decode()
    assert f"/campaigns/{campaign.pk}/imports/{KEY}/" in listed
    page = admin.get(f"/campaigns/{campaign.pk}/imports/{KEY}/").content.decode()
    assert "Take 2 solutions out for good" in page and "labelled by people" in page
    assert campaign.tasks.count() == 3


def test_what_nobody_has_worked_on_goes_and_the_page_says_how_many(admin: Client, campaign: Campaign):
    url = f"/campaigns/{campaign.pk}/imports/{KEY}/"
    page = admin.post(url, follow=True)
    assert page.redirect_chain[-1][0] == f"/campaigns/{campaign.pk}/imports/"
    assert "2 solutions were taken out of the campaign." in page.content.decode()
    left = admin.get(url).content.decode()
    assert "Nothing of it can be taken out." in left and "<button" not in left.partition("<main")[2]
    changes = admin.get("/people/changes/").content.decode()
    assert "import 2026-03-01 09:30:15 UTC · Misspelt" in changes


def test_a_large_import_is_undone_by_a_job(admin: Client, campaign: Campaign, monkeypatch):
    monkeypatch.setattr(removal, "TASKS_AT_ONCE", 2)
    page = admin.post(f"/campaigns/{campaign.pk}/imports/{KEY}/", follow=True)
    assert page.redirect_chain[-1][0] == f"/jobs/{Job.objects.get().pk}/"
    assert "Undo an import into Misspelt" in page.content.decode()


@pytest.mark.parametrize(
    "moment",
    ["2026-03-01T09:30:15.123457Z", "2026-03-01", "2026-13-01T00:00:00Z", "2026-03-01T09:30:15", "x"],
)
def test_an_import_that_is_not_there_is_no_page(admin: Client, campaign: Campaign, moment: str):
    for ask in (admin.get, admin.post):
        assert ask(f"/campaigns/{campaign.pk}/imports/{moment}/").status_code == 404
    assert campaign.tasks.count() == 3


def test_a_solution_is_taken_out_on_its_own_page(admin: Client, campaign: Campaign):
    free = campaign.tasks.order_by("pk")[1]
    page = f"/campaigns/{campaign.pk}/comparison/tasks/{free.pk}/"
    remove = f"/campaigns/{campaign.pk}/tasks/{free.pk}/remove/"
    assert f'action="{remove}"' in admin.get(page).content.decode()
    after = admin.post(remove, follow=True)
    assert after.redirect_chain[-1][0] == f"/campaigns/{campaign.pk}/tasks/"
    assert "was taken out of the campaign" in after.content.decode()
    assert admin.get(page).status_code == admin.post(remove).status_code == 404


def test_the_page_of_a_solution_that_stays_says_why_and_has_no_button(admin: Client, campaign: Campaign):
    labelled = campaign.tasks.order_by("pk")[0]
    page = f"/campaigns/{campaign.pk}/comparison/tasks/{labelled.pk}/"
    remove = f"/campaigns/{campaign.pk}/tasks/{labelled.pk}/remove/"
    assert remove not in admin.get(page).content.decode()
    refused = admin.post(remove, follow=True)
    assert refused.redirect_chain[-1][0] == page
    assert "This solution stays in the campaign: labelled by people." in refused.content.decode()
    with translation.override("ko"):
        assert "사람이 라벨" in str(removal.TaskKept(removal.Reason.LABELS))
    assert campaign.tasks.count() == 3


def test_only_an_admin_takes_anything_out(client: Client, campaign: Campaign):
    task = campaign.tasks.order_by("pk")[1]
    remove = f"/campaigns/{campaign.pk}/tasks/{task.pk}/remove/"
    for role in ("annotator", "reviewer"):
        log_in(client, role)
        for url in (remove, f"/campaigns/{campaign.pk}/imports/{KEY}/"):
            assert client.post(url).status_code == 403
        assert client.get(f"/campaigns/{campaign.pk}/imports/").status_code == 403
    page = client.get(f"/campaigns/{campaign.pk}/comparison/tasks/{task.pk}/").content.decode()
    assert remove not in page and campaign.tasks.count() == 3
    assert client.get(remove).status_code == 405


@pytest.mark.usefixtures("own_folder")
def test_the_job_of_an_import_leads_to_its_undoing(admin: Client, tmp_path: Path):
    line = '{"problem": "What is 1 + 1?", "steps": ["It is 2."]}\n'
    upload = uploads.keep("mistaken.jsonl", SimpleUploadedFile("f", line.encode()).chunks())
    job = uploads.start_import(upload, "records", "New", None)
    run_import(job.pk)
    page = admin.get(f"/jobs/{job.pk}/").content.decode()
    campaign, job = Campaign.objects.get(), Job.objects.get()
    undo = f"/campaigns/{campaign.pk}/imports/{job.result['imported_at']}/"
    assert undo in page and "mistaken.jsonl" in admin.get(undo).content.decode()
    admin.post(undo)
    assert not campaign.tasks.exists() and undo not in admin.get(f"/jobs/{job.pk}/").content.decode()


@pytest.mark.usefixtures("own_folder")
def test_the_job_of_an_import_that_brought_nothing_new_has_nothing_to_undo(admin: Client):
    for _ in range(2):
        upload = uploads.keep("again.jsonl", [processbench_line(1).encode()])
        job = uploads.start_import(upload, "processbench", "New", None)
        run_import(job.pk)
    job.refresh_from_db()
    assert "imported_at" not in job.result
    assert "Undo this import" not in admin.get(f"/jobs/{job.pk}/").content.decode()
