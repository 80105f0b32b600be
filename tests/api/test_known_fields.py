"""A misspelt field is refused with the name that was meant, and nothing is made with its default."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from rest_framework.serializers import BaseSerializer
from rest_framework.test import APIClient

from labelsite.accounts.models import User
from labelsite.api import (
    asking_estimates,
    asking_training,
    campaigns,
    checkpoints,
    machines,
    scores,
    sections,
    serializers,
    snapshots,
    work,
)
from labelsite.api.known_fields import OnlyKnownFields
from labelsite.autolabels.models import EstimateRun
from labelsite.campaigns.models import Campaign
from labelsite.jobs.models import Job
from labelsite.snapshots.models import Snapshot
from tests.factories import make_annotation, make_campaign, make_task, make_user

pytestmark = pytest.mark.django_db
MODULES = (
    asking_estimates, asking_training, campaigns, checkpoints, machines, scores, sections, serializers, snapshots, work,
)  # fmt: skip
READ_AND_WRITTEN = {"CampaignSerializer", "FilterSerializer"}


@pytest.fixture
def campaign(ann: User) -> Campaign:
    campaign = make_campaign("C", members=[ann])
    make_annotation(make_task(campaign, overlap=2), make_user())
    return campaign


def post(client: APIClient, url: str, body: dict[str, Any]) -> Any:
    return client.post(f"/api/v1/{url}", body, format="json")


@pytest.mark.parametrize(
    ("url", "body", "meant"),
    [
        ("campaigns/", {"name": "x", "overlapp": 3}, "overlap"),
        ("campaigns/{campaign}/estimates/", {"rollout": 64}, "rollouts"),
        ("campaigns/{campaign}/scores/", {"checkpoints": 1}, "checkpoint"),
        ("snapshots/", {"campaign": "{campaign}", "labels": "human", "rules": {}}, "rule"),
        ("trainings/", {"snapshot": 1, "labels": "human", "config": {}}, "configuration"),
        ("campaigns/{campaign}/sections/", {"name": "x", "task": [1]}, "tasks"),
    ],
)
def test_a_misspelt_field_is_refused_and_the_nearest_one_named(
    admin: APIClient, campaign: Campaign, url: str, body: dict[str, Any], meant: str
):
    body = {name: campaign.pk if value == "{campaign}" else value for name, value in body.items()}
    response = post(admin, url.format(campaign=campaign.pk), body)
    assert response.status_code == 400, response.content
    wrong = list(body)[-1]
    assert response.json()["errors"][wrong] == [f"no such field, expected {meant}"]
    assert Campaign.objects.count() == 1
    for model in (EstimateRun, Job, Snapshot):
        assert not model.objects.exists()


def test_a_field_like_no_other_is_answered_with_all_of_them(admin: APIClient, campaign: Campaign):
    url = f"/api/v1/campaigns/{campaign.pk}/"
    errors = admin.patch(url, {"xyz": 1, "overlap": 0}, format="json").json()["errors"]
    assert list(errors) == ["xyz", "overlap"] and "screening_size" in errors["xyz"][0]
    campaign.refresh_from_db()
    assert campaign.overlap == 1


def test_what_was_read_can_be_sent_back(admin: APIClient, campaign: Campaign):
    url = f"/api/v1/campaigns/{campaign.pk}/"
    body = {**admin.get(url).json(), "overlap": 3}
    assert admin.patch(url, body, format="json").json()["overlap"] == 3


def test_a_misspelt_field_inside_a_judgement_is_refused(annotator: APIClient, campaign: Campaign):
    task = post(annotator, f"campaigns/{campaign.pk}/next/", {}).json()
    rating = {"step": task["options"][0]["id"], "rating": -1, "notes": "here"}
    body = {
        "assignment": task["assignment"],
        "token": task["token"],
        "judgement": {"finish_reason": "found_error", "ratings": [rating]},
    }
    errors = post(annotator, "annotations/", body).json()["errors"]
    (of_the_rating,) = errors["judgement"]["ratings"].values()
    assert of_the_rating == {"notes": ["no such field, expected note"]}


def test_every_shape_that_goes_in_knows_its_fields():
    shapes = {
        shape
        for module in MODULES
        for name, shape in inspect.getmembers(module, inspect.isclass)
        if issubclass(shape, BaseSerializer) and (name.endswith("Request") or name in READ_AND_WRITTEN)
    }
    assert len(shapes) >= 12
    assert [shape for shape in shapes if not issubclass(shape, OnlyKnownFields)] == []
