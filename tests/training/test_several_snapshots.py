"""A run on several snapshots together: every door takes them, the check looks at all, and the checkpoint names all."""

from __future__ import annotations

import pytest
from django.urls import reverse

from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.services import freeze
from labelsite.training.lineage import lineage_of
from labelsite.training.models import TrainingRun
from labelsite.training.services import load_checkpoint, start_training
from labelsite.training.yardsticks import yardsticks
from ml.commands import train
from tests.api.conftest import script_of
from tests.factories import log_in, make_user
from tests.training.pocket import pocket_campaign
from tests.training.test_label_options import frozen
from tests.training.test_pages import asked
from tests.training.test_shared_folder import arguments_for

pytestmark = pytest.mark.django_db


def another(labels: str = "mixed", **rule) -> Snapshot:
    """A snapshot of other content than the others of a test."""
    snapshot = frozen(labels, **rule)
    snapshot.sha256 = f"{snapshot.pk:064}"
    snapshot.save()
    return snapshot


def checks(client, first: Snapshot, *more: Snapshot, **changes) -> tuple[bool, str]:
    chosen = asked(first, more_snapshots=[each.pk for each in more], **changes)
    plan = client.get(reverse("training:start"), chosen).context["plan"]
    return plan.can_start, " | ".join(check.text for check in plan.checks)


@pytest.mark.django_db(transaction=True)
def test_a_run_on_two_snapshots_leaves_a_checkpoint_that_leads_back_to_both():
    person = make_user()
    campaigns = [pocket_campaign(count=count, annotator=person, name=f"C{count}") for count in (12, 20)]
    first, second = (freeze(campaign, "human") for campaign in campaigns)
    run = start_training(first, "human", configuration={"steps": 1, "batch_size": 4}, more_snapshots=[second])
    assert train.main(arguments_for(run)) == 0
    checkpoint = load_checkpoint(run, run.job.outputs / "checkpoint")
    assert checkpoint.card["snapshot"]["repeated_solutions"] == 12
    lineage = lineage_of(checkpoint)
    assert (lineage.snapshots, lineage.campaigns) == ([first, second], campaigns)
    assert lineage.people == [(person, 32)] and not lineage.elsewhere


@pytest.mark.parametrize("door", ["page", "api"])
def test_every_door_takes_further_snapshots(client, door):
    admin = log_in(client, "admin")
    first, second = another(), another()
    if door == "page":
        client.post(reverse("training:start"), asked(first, more_snapshots=[second.pk]))
    else:
        body = {"snapshot": first.pk, "more_snapshots": [second.pk], "labels": "mixed"}
        answer = script_of(admin).post("/api/v1/trainings/", body, format="json")
        assert answer.json()["more_snapshots"] == [second.pk]
    run = TrainingRun.objects.get()
    assert run.snapshots == [first, second] and f"{first.name} + {second.name}" in run.name
    assert f"{second.name}</td>" in client.get(reverse("training:list")).content.decode()


def test_the_check_before_the_start_is_of_all_snapshots(client):
    log_in(client, "admin")
    people, rollouts = another("human"), another("automatic")
    can_start, told = checks(client, people, rollouts)
    assert can_start and "160 solutions to train on" in told
    assert "frozen with different rules" in told
    can_start, told = checks(client, people, rollouts, labels="human")
    assert can_start and f"{rollouts.name}: without people&#x27;s labels" in told.replace("'", "&#x27;")
    assert not checks(client, people, another("human"), labels="automatic")[0]
    can_start, told = checks(client, people, people, labels="human")
    assert not can_start and "two of the snapshots have the same content" in told
    shares = another("automatic")
    shares.manifest["lineage"] = {"estimates": {"method": "rest-mcts"}}
    shares.save()
    can_start, told = checks(client, people, shares, target="soft")
    assert not can_start and "rest-mcts" in told


@pytest.mark.parametrize("said", ["9" * 30, "x", "\0", "-1"])
def test_a_further_snapshot_that_is_none_is_refused_at_its_field(client, said):
    log_in(client, "admin")
    page = client.get(reverse("training:start"), asked(another(), more_snapshots=[said]))
    assert list(page.context["form"].errors) == ["more_snapshots"]


def test_runs_on_more_snapshots_are_judged_by_another_yardstick():
    first, second = another(), another()
    runs = [start_training(first, "mixed"), start_training(first, "mixed", more_snapshots=[second])]
    assert yardsticks(runs) == ["A", "B"]
