"""Two snapshots of the same content share a folder; a run trains by the rule of its own and names its own."""

from __future__ import annotations

import pytest

from labelsite.jobs.child import command_line
from labelsite.jobs.models import JobState
from labelsite.jobs.tasks import run_here
from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.services import freeze
from labelsite.training.services import prepare_training, start_training
from ml.commands.train import parser, request_from
from ml.prm.request import with_rule
from ml.snapshot import read_snapshot
from ml.targets import LabelRule
from tests.factories import make_estimate_run, make_user
from tests.training.pocket import pocket_campaign

pytestmark = pytest.mark.django_db(transaction=True)


def sharing() -> tuple[Snapshot, Snapshot]:
    """A human and a mixed snapshot of the same bytes: the search estimated nothing, and nobody rated a step 0."""
    campaign = pocket_campaign(count=20, annotator=make_user())
    campaign.estimate_run = make_estimate_run()
    campaign.save()
    first = freeze(campaign, "human", LabelRule(neutral="negative"), name="First")
    second = freeze(campaign, "mixed", LabelRule(neutral="drop"), name="Second")
    assert (first.folder, first.sha256) == (second.folder, second.sha256)
    return first, second


def test_a_run_s_card_has_the_rule_and_the_name_of_its_own_snapshot():
    _first, second = sharing()
    run = start_training(second, "mixed", configuration={"steps": 1, "batch_size": 4})
    run_here(run.job)
    run.job.refresh_from_db()
    assert run.job.state == JobState.DONE, run.job.error
    card = run.checkpoint.card
    assert card["snapshot"] == {"sha256": second.sha256, "name": "Second"}
    assert (card["label_rule"]["labels"], card["label_rule"]["neutral"]) == ("mixed", "drop")


@pytest.mark.parametrize("number", [0, 1])
def test_each_of_two_that_share_a_folder_trains_on_its_labels_as_they_were_frozen(number: int):
    snapshot = sharing()[number]
    run = start_training(snapshot, snapshot.labels)
    prepare_training(run.job, run.job.inputs)
    _python, _module, _ml, _verb, *arguments = command_line(run.job)
    request = request_from(parser().parse_args(arguments))
    read = read_snapshot(request.snapshot, request.manifest)
    request = with_rule(request, read.manifest)
    assert request.use_frozen_labels
    assert request.rule == LabelRule(**snapshot.manifest["rule"])
