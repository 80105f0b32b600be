"""Whose labels a checkpoint was trained on: what its snapshot froze, whatever was corrected since."""

from __future__ import annotations

import pytest

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Campaign
from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.services import freeze
from labelsite.training.lineage import lineage_of
from labelsite.training.models import Checkpoint
from labelsite.training.services import start_training
from tests.factories import make_annotation, make_campaign, make_estimates, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    return make_campaign("Arithmetic")


def people_of(snapshot: Snapshot) -> list[tuple[User, int]]:
    run = start_training(snapshot, snapshot.labels)
    checkpoint = Checkpoint.objects.create(run=run, folder="1" * 64, sha256="1" * 64, card={})
    return list(lineage_of(checkpoint).people)


def test_those_whose_labels_were_left_out_are_not_listed(campaign: Campaign):
    diligent, occasional = make_user(), make_user()
    task = make_task(campaign)
    make_annotation(task, diligent)
    make_annotation(task, occasional, [1, -1])
    make_annotation(make_task(campaign), diligent, [-1])
    make_annotation(task, make_user(labels_excluded=True))
    make_annotation(task, make_user(), [1], finish_reason="give_up", reason="stuck")
    make_annotation(make_task(campaign, kind="gold", gold=[0]), make_user())
    found = people_of(freeze(campaign, "human"))
    assert found == [(diligent, 2), (occasional, 1)]


def test_a_correction_after_the_freeze_takes_nobody_out(campaign: Campaign):
    person, task = make_user(), make_task(campaign)
    first = make_annotation(task, person, [-1])
    snapshot = freeze(campaign, "human")
    Annotation.objects.filter(pk=first.pk).update(is_live=False)
    Annotation.objects.create(
        task=task, annotator=person, revision=2, trajectory=[1, 1], finish_reason="solution"
    )
    User.objects.filter(pk=person.pk).update(labels_excluded=True)
    make_annotation(task, make_user())
    assert people_of(snapshot) == [(person, 1)]


def test_a_snapshot_of_rollouts_lists_nobody(campaign: Campaign):
    task = make_task(campaign)
    make_annotation(task, make_user(), [-1])
    campaign.estimate_run = make_estimates(task.solution, [0.75, 0.0], first_mistake=1)
    campaign.save()
    assert people_of(freeze(campaign, "automatic")) == []
