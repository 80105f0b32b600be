"""A request that is sent again with its key starts nothing twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from rest_framework.test import APIClient

from labelsite.api.models import KeyedRequest
from labelsite.api.once import KEPT_DAYS
from labelsite.autolabels.models import EstimateRun
from labelsite.campaigns.models import Campaign
from labelsite.jobs.models import Job
from labelsite.snapshots.models import Snapshot
from tests.annotations.test_import import processbench_line
from tests.factories import make_annotation, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> dict[str, str]:
    return {"HTTP_IDEMPOTENCY_KEY": str(uuid4())}


def send(admin: APIClient, key: dict[str, str], content: str, **more: Any) -> Any:
    file = SimpleUploadedFile("lines.jsonl", content.encode())
    body = {"file": file, "campaign": "C", "format": "processbench", **more}
    return admin.post("/api/v1/imports/", body, format="multipart", **key)


def test_a_file_is_imported_once_however_often_it_is_sent(admin: APIClient, key: dict[str, str]):
    line = processbench_line(1)
    first = send(admin, key, line)
    assert first.status_code == 202, first.content
    assert send(admin, key, line).json() == first.json()
    assert Job.objects.get().pk == first.json()["id"]
    for other in (send(admin, key, line + "\n"), send(admin, key, line, section="unit 1")):
        assert (other.status_code, other.json()["code"]) == (409, "key_reused")
    assert send(admin, {}, line).json()["id"] != first.json()["id"]


def test_a_snapshot_is_frozen_once_and_by_a_job(admin: APIClient, campaign: Campaign, key: dict[str, str]):
    make_annotation(make_task(campaign), make_user())
    body = {"campaign": campaign.pk, "labels": "human", "name": "S"}
    first = admin.post("/api/v1/snapshots/", body, format="json", **key)
    assert first.status_code == 202, first.content
    assert admin.post("/api/v1/snapshots/", body, format="json", **key).json() == first.json()
    assert Job.objects.get().verb == "freeze" and not Snapshot.objects.exists()
    other = admin.post("/api/v1/snapshots/", {**body, "name": "T"}, format="json", **key)
    assert (other.status_code, other.json()["code"]) == (409, "key_reused")


def test_what_was_deleted_since_is_gone_and_not_started_again(admin, campaign, key):
    make_task(campaign)
    url, body = f"/api/v1/campaigns/{campaign.pk}/estimates/", {"method": "math-shepherd", "rollouts": 4}
    assert admin.post(url, body, format="json", **key).status_code == 202
    EstimateRun.objects.all().delete()
    again = admin.post(url, body, format="json", **key)
    assert (again.status_code, again.json()["code"]) == (410, "gone")
    assert not EstimateRun.objects.exists()


@pytest.mark.parametrize(("days", "is_known"), [(KEPT_DAYS - 1, True), (KEPT_DAYS + 1, False)])
def test_a_key_is_forgotten_after_a_week(admin: APIClient, key: dict[str, str], days: int, is_known: bool):
    first = send(admin, key, processbench_line(1))
    KeyedRequest.objects.update(created_at=timezone.now() - timedelta(days=days))
    send(admin, {"HTTP_IDEMPOTENCY_KEY": str(uuid4())}, processbench_line(1))
    assert KeyedRequest.objects.count() == 1 + is_known
    assert (send(admin, key, processbench_line(1)).json() == first.json()) == is_known
