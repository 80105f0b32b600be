"""What rollouts said of a problem that a person reported as bad stays out of labels that ask people."""

from __future__ import annotations

import pytest

from labelsite.campaigns.models import Campaign
from labelsite.snapshots.services import folder_of, freeze
from ml.snapshot import SnapshotRow, read_snapshot
from ml.targets import LabelRule
from ml.targets.rules import CHOICES
from tests.factories import make_annotation, make_campaign, make_estimates, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    """Two searched solutions: a person reported the second one's problem."""
    campaign = make_campaign("Arithmetic")
    good, bad = make_task(campaign), make_task(campaign)
    make_annotation(good, make_user(), [1, 1])
    make_annotation(bad, make_user(), [], finish_reason="bad_problem", reason="no question")
    campaign.estimate_run = make_estimates(good.solution, [1.0, 1.0])
    make_estimates(bad.solution, [1.0, 1.0], run=campaign.estimate_run)
    campaign.save()
    return campaign


def frozen(campaign: Campaign, labels: str, mixture: str) -> tuple[list[SnapshotRow], dict[str, int]]:
    snapshot = freeze(campaign, labels, LabelRule(mixture=mixture))
    return list(read_snapshot(folder_of(snapshot))), snapshot.manifest["filters"]


@pytest.mark.parametrize("mixture", CHOICES["mixture"])
def test_a_bad_problem_stays_out_of_mixed_labels_and_is_counted(campaign: Campaign, mixture: str):
    rows, left_out = frozen(campaign, "mixed", mixture)
    assert len(rows) == 1 and rows[0].human is not None
    assert left_out == {"bad_problems": 1, "solutions_without_evidence": 1}


def test_automatic_labels_do_not_ask_people_about_a_problem_and_count_nothing_of_theirs(campaign: Campaign):
    stuck = campaign.tasks.order_by("pk")[0]
    make_annotation(stuck, make_user(), [1], finish_reason="give_up", reason="too long")
    make_annotation(stuck, make_user(labels_excluded=True), [1, 1])
    rows, left_out = frozen(campaign, "automatic", "people_override")
    assert len(rows) == 2 and left_out == {}
