"""Scripts take out of a campaign what came into it by mistake, as the pages do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from rest_framework.test import APIClient

from labelsite.accounts.models import User
from labelsite.campaigns import removal
from labelsite.campaigns.models import Campaign
from labelsite.jobs.models import Job
from tests.campaigns.imports import brought_at
from tests.factories import make_annotation

MOMENT = datetime(2026, 3, 1, 9, 30, 15, tzinfo=UTC)


@pytest.fixture
def place(campaign: Campaign, ann: User) -> str:
    """Where an import of three tasks is, of which the first has a label."""
    first, *_rest = brought_at(campaign, 3, MOMENT)
    make_annotation(first, ann)
    return f"/api/v1/campaigns/{campaign.pk}/"


def test_a_task_without_work_is_deleted_and_one_with_a_label_is_a_conflict(
    admin: APIClient, campaign: Campaign, place: str
):
    labelled, free, _ = campaign.tasks.order_by("pk")
    assert admin.delete(f"{place}tasks/{free.pk}/").status_code == 204
    assert admin.delete(f"{place}tasks/{free.pk}/").status_code == 404
    refused = admin.delete(f"{place}tasks/{labelled.pk}/")
    assert (refused.status_code, refused.json()["code"]) == (409, "task_kept")
    assert refused.json()["reason"] == "labels" and "labelled by people" in refused.json()["detail"]
    assert campaign.tasks.count() == 2


def test_a_task_of_another_campaign_is_not_found(admin: APIClient, campaign: Campaign, place: str):
    other = brought_at(Campaign.objects.create(name="other"), 1, MOMENT)[0]
    assert admin.delete(f"{place}tasks/{other.pk}/").status_code == 404


def test_an_import_says_what_undoing_it_would_come_to_and_is_undone(
    admin: APIClient, campaign: Campaign, place: str
):
    (listed,) = admin.get(f"{place}imports/").json()
    assert listed == {"imported_at": "2026-03-01T09:30:15Z", "tasks": 3, "file": ""}
    told = admin.get(f"{place}imports/{listed['imported_at']}/").json()
    assert (told["tasks"], told["free"], told["kept"]["labels"]) == (3, 2, 1)
    assert set(told["kept"]) == set(removal.Reason.values) and campaign.tasks.count() == 3
    # However its moment is written.
    undone = admin.delete(f"{place}imports/2026-03-01T18:30:15+09:00/")
    assert (undone.status_code, undone.json()) == (200, {"taken_out": 2, "kept": 1})
    again = admin.delete(f"{place}imports/{listed['imported_at']}/")
    assert again.json() == {"taken_out": 0, "kept": 1}


def test_a_large_import_is_undone_by_a_job(admin: APIClient, place: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(removal, "TASKS_AT_ONCE", 2)
    answer = admin.delete(f"{place}imports/2026-03-01T09:30:15Z/")
    assert (answer.status_code, answer.json()["id"]) == (202, Job.objects.get().pk)


@pytest.mark.parametrize("moment", ["2026-03-01T09:30:16Z", "yesterday", "2026-03-01T09:30:15"])
def test_an_import_that_is_not_there_is_not_found(admin: APIClient, place: str, moment: str):
    for ask in (admin.get, admin.delete):
        assert ask(f"{place}imports/{moment}/").status_code == 404


def test_only_admins_look_and_take_out(
    reviewer: APIClient, annotator: APIClient, campaign: Campaign, place: str
):
    task = campaign.tasks.order_by("pk")[1]
    for script in (reviewer, annotator):
        assert script.delete(f"{place}tasks/{task.pk}/").status_code == 403
        assert script.get(f"{place}imports/").status_code == 403
        assert script.delete(f"{place}imports/2026-03-01T09:30:15Z/").status_code == 403
    assert campaign.tasks.count() == 3
