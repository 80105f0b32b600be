"""A script reads what the pages show: progress, members, agreement, trainings, checkpoints and evaluations."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from labelsite.accounts.models import User
from labelsite.campaigns.models import Assignment, Campaign, TaskKind, TaskState
from labelsite.campaigns.queue import EVERYBODY
from labelsite.training.models import Evaluation
from labelsite.training.services import start_training
from ml.evaluation.first_mistake import metric
from tests.factories import (
    make_annotation,
    make_campaign,
    make_estimates,
    make_evaluation,
    make_job,
    make_member,
    make_task,
    make_user,
)
from tests.training.test_pages import make_checkpoint, make_snapshot

pytestmark = pytest.mark.django_db
API = "/api/v1/"


@pytest.fixture
def campaign(ann: User) -> Campaign:
    """Six solutions that two people looked at, and a run: they differ on one, and the run is right elsewhere."""
    campaign = make_campaign("C", members=[ann])
    bob = make_user(username="bob")
    make_member(campaign, bob, sections=["algebra"])
    for number in range(6):
        task = make_task(campaign, overlap=3)
        make_annotation(task, ann, [1, -1])
        make_annotation(task, bob, [1, 1] if number == 5 else [1, -1])
        campaign.estimate_run = make_estimates(
            task.solution, [1.0, 0.0], run=campaign.estimate_run, first_mistake=1
        )
    campaign.save()
    return campaign


def test_progress_is_told_in_numbers(reviewer: APIClient, campaign: Campaign):
    Assignment.objects.update(heartbeat_at=timezone.now())
    found = reviewer.get(f"{API}campaigns/{campaign.pk}/progress/").json()
    assert (found["tasks"], found["wanted"], found["gold"]) == (6, 18, 0)
    assert len(found["days"]) == 14 and sum(day["count"] for day in found["days"]) == 12


def test_a_task_counts_as_what_it_is_and_gold_and_screening_as_no_work(reviewer: APIClient, ann: User):
    campaign = make_campaign("C", members=[ann])
    make_task(campaign, overlap=4, remaining=1)
    make_task(campaign, overlap=3, remaining=0, state=TaskState.DONE)
    make_task(campaign, overlap=3, remaining=2, state=TaskState.SET_ASIDE)
    make_task(campaign, overlap=3, remaining=3, state=TaskState.SET_ASIDE)
    hour = timezone.now() + timedelta(hours=1)
    for kind, number in ((TaskKind.WORK, 1), (TaskKind.GOLD, 4), (TaskKind.SCREENING, 3)):
        for _ in range(number):
            overlap = 2 if kind == TaskKind.WORK else EVERYBODY
            task = make_task(campaign, kind=kind, gold=[0], overlap=overlap)
        Assignment.objects.create(task=task, annotator=ann, leased_until=hour)
    found = reviewer.get(f"{API}campaigns/{campaign.pk}/progress/").json()
    assert (found["tasks"], found["done"], found["set_aside"], found["share"]) == (5, 1, 2, 0.2)
    assert (found["gold"], found["screening"]) == (4, 3)
    assert (found["wanted"], found["free"], found["in_hand"]) == (15, 3, 1)


def test_members_are_listed_with_what_they_did(reviewer: APIClient, campaign: Campaign):
    ann, bob = reviewer.get(f"{API}campaigns/{campaign.pk}/members/").json()
    assert (ann["username"], ann["submitted"], ann["sections"]) == ("ann", 6, [])
    assert (bob["username"], bob["state"], bob["sections"]) == ("bob", "admitted", ["algebra"])


def test_agreement_is_told_between_people_and_with_the_run(reviewer: APIClient, campaign: Campaign):
    url = f"{API}campaigns/{campaign.pk}/comparison/"
    found = reviewer.get(url).json()
    assert found["run"] == campaign.estimate_run_id and (found["looks"], found["both"]) == (12, 12)
    (pair,) = found["between"]["pairs"]
    assert {pair["first"], pair["second"]} == {"ann", "bob"}
    assert (pair["common"], pair["exact"]) == (6, pytest.approx(5 / 6))
    assert found["agreement"]["exact"] == pytest.approx(11 / 12)
    assert found["kinds"]["invents"] == 1 and found["steps"]["count"] == 24
    assert {person["annotator"] for person in found["persons"]} == {"ann", "bob"}
    of_ann = reviewer.get(url, {"of": User.objects.get(username="ann").pk}).json()
    assert of_ann["looks"] == 6 and of_ann["agreement"]["exact"] == 1.0
    assert reviewer.get(url, {"of": "ann"}).json() == of_ann
    assert reviewer.get(url, {"of": "ann", "run": campaign.estimate_run_id}).json() == of_ann


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"of": "anne"}, "of='anne', expected gold or the username of a person"),
        ({"of": str(10**9)}, "of='1000000000', expected gold"),
        ({"of": ""}, "of='', expected gold"),
        ({"of": "ann\0"}, "expected gold"),
        ({"run": "first"}, "run='first', expected the id of a run"),
        ({"run": str(10**9)}, "run='1000000000', expected the id of a run"),
    ],
)
def test_figures_of_nobody_or_of_no_run_are_refused_and_not_those_of_everybody(
    reviewer: APIClient, campaign: Campaign, asked: dict[str, str], said: str
):
    answer = reviewer.get(f"{API}campaigns/{campaign.pk}/comparison/", asked)
    assert answer.status_code == 400 and said in answer.json()["detail"]


def test_a_person_whose_name_is_the_id_of_another_is_meant_by_that_name(
    reviewer: APIClient, campaign: Campaign
):
    ann = User.objects.get(username="ann")
    namesake = make_user(username=str(ann.pk))
    make_annotation(campaign.tasks.first(), namesake, [1, -1])
    url = f"{API}campaigns/{campaign.pk}/comparison/"
    assert reviewer.get(url, {"of": namesake.username}).json()["looks"] == 1


def test_figures_of_a_campaign_without_labels_are_null_and_no_error(reviewer: APIClient):
    url = f"{API}campaigns/{make_campaign().pk}/"
    found = reviewer.get(f"{url}comparison/").json()
    assert (found["run"], found["agreement"], found["between"]["alpha"]) == (None, None, None)
    assert reviewer.get(f"{url}progress/").json()["share"] == 0
    assert reviewer.get(f"{API}campaigns/{10**9}/comparison/").status_code == 404


def test_trainings_are_listed_newest_first(reviewer: APIClient):
    older, newer = (start_training(make_snapshot(), "mixed", seed=seed) for seed in (1, 2))
    checkpoint = make_checkpoint(older)
    rows = reviewer.get(f"{API}trainings/").json()["results"]
    assert [(row["id"], row["checkpoint"]) for row in rows] == [(newer.pk, None), (older.pk, checkpoint.pk)]


def test_checkpoints_and_their_evaluations_are_read(reviewer: APIClient):
    checkpoint = make_checkpoint(start_training(make_snapshot(), "mixed"))
    waiting = Evaluation.objects.create(
        checkpoint=checkpoint, kind="first-mistake", data="C", job=make_job(result=None)
    )
    done = make_evaluation(checkpoint, {"rows": [1]}, kind="best-of-n", data="pool")
    (row,) = reviewer.get(f"{API}checkpoints/").json()["results"]
    assert (row["id"], row["validation"]["f1"]) == (checkpoint.pk, 0.7) and "card" not in row
    one = reviewer.get(f"{API}checkpoints/{checkpoint.pk}/").json()
    assert one["card"]["counts"] == {"train_rows": 80} and one["training"] == checkpoint.run_id
    rows = reviewer.get(f"{API}checkpoints/{checkpoint.pk}/evaluations/").json()["results"]
    assert [(row["id"], row["figures"]) for row in rows] == [(done.pk, {"rows": [1]}), (waiting.pk, None)]
    assert reviewer.get(f"{API}checkpoints/{10**9}/evaluations/").status_code == 404


def test_what_no_solution_could_show_of_a_checkpoint_is_null_and_never_0(reviewer: APIClient):
    checkpoint = make_checkpoint(start_training(make_snapshot(), "mixed"))
    faultless = metric([None, None], [None, None])
    make_evaluation(checkpoint, faultless | {"held_out": faultless, "unseen": faultless})
    for url in (f"checkpoints/{checkpoint.pk}/evaluations/", "evaluations/"):
        (row,) = reviewer.get(API + url).json()["results"]
        for found in (row["figures"], row["figures"]["held_out"], row["figures"]["unseen"]):
            assert (found["f1"], found["accuracy_wrong"], found["accuracy_right"]) == (None, None, 1.0)


def test_who_may_read_a_page_may_read_its_figures_and_nobody_else(
    admin: APIClient, reviewer: APIClient, annotator: APIClient, outsider: APIClient, campaign: Campaign
):
    checkpoint = make_checkpoint(start_training(make_snapshot(), "mixed"))
    names = ("progress", "members", "comparison")
    urls = [f"campaigns/{campaign.pk}/{name}/" for name in names]
    one = f"checkpoints/{checkpoint.pk}/"
    for url in [*urls, "trainings/", "checkpoints/", one, f"{one}evaluations/"]:
        scripts = [admin, reviewer, annotator, outsider, APIClient()]
        assert [script.get(API + url).status_code for script in scripts] == [200, 200, 403, 403, 401], url


@pytest.mark.parametrize("path", ["v1/nothing/", "v1/campaigns/1/nothing/", "v2/campaigns/", "nothing"])
def test_an_unknown_address_of_the_api_is_a_problem_and_elsewhere_a_page(admin: APIClient, path: str):
    response = admin.get(f"/api/{path}")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "<html" in admin.get("/nothing/").content.decode()
