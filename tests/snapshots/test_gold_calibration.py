"""A fused snapshot says how literally its labels can be taken, by the campaign's gold items."""

from __future__ import annotations

import pytest
from django.test import Client

from labelsite.accounts.models import Role
from labelsite.campaigns.models import Campaign, TaskKind
from labelsite.comparison.models import Adjudication
from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.services import folder_of, freeze
from ml.snapshot import read_snapshot
from ml.targets import LabelRule
from tests.factories import (
    make_annotation,
    make_campaign,
    make_estimate_run,
    make_estimates,
    make_machine,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db
FUSION = LabelRule("mixed", mixture="fusion")
ENDS = ([1, 1, 1], [1, -1], [-1], [1, 1, 1])


@pytest.fixture
def campaign() -> Campaign:
    """Twelve solutions that two people and a search judged alike."""
    campaign = make_campaign("Sums")
    campaign.estimate_run = make_estimate_run()
    campaign.save()
    people = [make_user(username="ann"), make_user(username="bob")]
    for number in range(12):
        judged(campaign, ENDS[number % 4], people, number)
    return campaign


def judged(campaign: Campaign, trajectory: list[int], people, number: int, **fields):
    solution = make_solution(["a", "b", "c"], problem=f"Problem {number}")
    task = make_task(campaign, solution, overlap=3, **fields)
    for one in people:
        make_annotation(task, one, trajectory)
    first = trajectory.index(-1) if -1 in trajectory else 3
    make_estimates(solution, [1.0 if k < first else 0.0 for k in range(3)], campaign.estimate_run)
    return task


def gold(campaign: Campaign, trajectory: list[int], people, number: int, places: list[int], source="checker"):
    return judged(campaign, trajectory, people, number, kind=TaskKind.GOLD, gold=places, gold_source=source)


def calibration(snapshot: Snapshot) -> dict:
    return snapshot.manifest["calibration"]


def test_the_posterior_is_held_against_gold_items_and_no_label_changes_by_it(campaign: Campaign):
    before = freeze(campaign, "mixed", FUSION)
    assert "calibration" not in before.manifest
    people = [make_user(username="cleo")]
    gold(campaign, [1, -1], people, 100, [1])
    gold(campaign, [1, 1, 1], people, 101, [-1])
    after = freeze(campaign, "mixed", FUSION)
    assert after.sha256 == before.sha256
    found = calibration(after)
    assert (found["solutions"], found["exact"], found["without_witness"]) == (2, 1.0, 0)
    assert (found["posterior"]["steps"], found["labels"]["steps"]) == (6, 5)
    assert found["labels"]["expected_calibration_error"] < 0.1
    gold(campaign, [1, -1], people, 102, [2])
    worse = calibration(freeze(campaign, "mixed", FUSION))
    assert worse["exact"] == pytest.approx(2 / 3)
    assert worse["labels"]["expected_calibration_error"] > found["labels"]["expected_calibration_error"]


def test_gold_at_a_place_where_nobody_chose_a_step_stops_no_freeze(campaign: Campaign):
    people = [make_user(username="cleo")]
    gold(campaign, [1, -1], people, 100, [1])
    gold(campaign, [1, -1], people, 101, [3])
    assert calibration(freeze(campaign, "mixed", FUSION))["solutions"] == 1


@pytest.mark.parametrize("source", ["adjudicated by dora", "traces"])
def test_whoever_set_the_gold_does_not_testify_on_it(campaign: Campaign, source: str):
    dora, machine = make_user(Role.REVIEWER, username="dora"), make_machine("imported:traces")
    campaign.estimate_run = make_estimate_run()
    campaign.save()
    make_estimates(campaign.tasks.earliest("pk").solution, [1.0, 1.0, 1.0], campaign.estimate_run)
    for number, places in enumerate(([1], [1], [-1]), start=100):
        task = make_task(
            campaign, make_solution(["a", "b", "c"], problem=f"Problem {number}"), kind=TaskKind.GOLD, gold=places,
            gold_source=source,
        )  # fmt: skip
        make_annotation(task, machine if source == "traces" else dora, [1, -1])
    # Nobody else looked at these, and no rollouts went through them.
    assert "calibration" not in freeze(campaign, "mixed", FUSION).manifest


def test_a_reviewers_decision_on_a_gold_item_is_not_given_away_to_the_fit(campaign: Campaign):
    task = gold(campaign, [1, -1], [make_user(username="cleo")], 100, [2])
    reviewer = make_user(Role.REVIEWER)
    Adjudication.objects.create(task=task, reviewer=reviewer, positions=[2], is_live=True)
    assert calibration(freeze(campaign, "mixed", FUSION))["exact"] == 0


def test_gold_items_are_in_no_row_and_other_rules_have_no_calibration(campaign: Campaign):
    task = gold(campaign, [1, -1], [make_user(username="cleo")], 100, [1])
    snapshot = freeze(campaign, "mixed", FUSION)
    assert str(task.solution_id) not in {row.id for row in read_snapshot(folder_of(snapshot))}
    assert "calibration" not in freeze(campaign, "mixed").manifest


def test_the_page_draws_the_calibration_with_its_numbers(campaign: Campaign, client: Client):
    gold(campaign, [1, -1], [make_user(username="cleo")], 100, [1])
    client.force_login(make_user(Role.REVIEWER))
    snapshot = freeze(campaign, "mixed", FUSION)
    page = client.get(f"/snapshots/{snapshot.pk}/").content.decode()
    assert "Calibration of fusion on gold items" in page and "<svg" in page
    assert "1 gold item; the expected calibration error is 0." in page
    plain = freeze(campaign, "human")
    assert "Calibration of fusion" not in client.get(f"/snapshots/{plain.pk}/").content.decode()
