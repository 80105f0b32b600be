"""A reviewer's word stands in every snapshot, also where noisy witnesses are weighed."""

from __future__ import annotations

import pytest

from labelsite.comparison.models import Adjudication
from labelsite.snapshots.services import folder_of, freeze
from ml.snapshot import read_snapshot
from ml.targets import LabelRule
from ml.targets.rules import CHOICES
from tests.factories import make_annotation, make_campaign, make_estimates, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("mixture", [name for name in CHOICES["mixture"] if name != "consensus"])
def test_what_a_reviewer_settled_holds_against_every_annotator(mixture: str):
    campaign = make_campaign("Sums")
    people = [make_user() for _ in range(3)]
    for number in range(6):
        task = make_task(campaign, overlap=3)
        for person in people:
            make_annotation(task, person, [1, 1])
        if number == 5:
            Adjudication.objects.create(task=task, reviewer=make_user("reviewer"), positions=[1])
            campaign.estimate_run = make_estimates(task.solution, [1.0, 1.0])
    campaign.save()
    *others, settled = read_snapshot(folder_of(freeze(campaign, "mixed", LabelRule(mixture=mixture))))
    assert [row.first_mistake for row in others] == [None] * 5
    assert settled.first_mistake == 1
    assert settled.labels == [1.0, {"agreement_weighted": 0.25}.get(mixture, 0.0)]
