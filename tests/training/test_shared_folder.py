"""Two snapshots of the same content share a folder; a run trains by the rule of its own and names its own."""

from __future__ import annotations

import pytest

from labelsite.jobs.child import command_line
from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.services import freeze
from labelsite.training.models import TrainingRun
from labelsite.training.services import load_checkpoint, prepare_training, start_training
from ml.commands import train
from ml.prm.request import opened, with_rule
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


def arguments_for(run: TrainingRun) -> list[str]:
    """What the run's job gives `python -m ml train`, with what it reads laid out."""
    prepare_training(run.job, run.job.inputs)
    _python, _module, _ml, _verb, *arguments = command_line(run.job)
    return arguments


def test_a_run_s_card_has_the_rule_and_the_name_of_its_own_snapshot():
    _first, second = sharing()
    run = start_training(second, "mixed", configuration={"steps": 1, "batch_size": 4})
    assert train.main(arguments_for(run)) == 0
    card = load_checkpoint(run, run.job.outputs / "checkpoint").card
    assert card["snapshot"] == {"sha256": second.sha256, "name": "Second"}
    assert (card["label_rule"]["labels"], card["label_rule"]["neutral"]) == ("mixed", "drop")


@pytest.mark.parametrize("number", [0, 1])
def test_each_of_two_that_share_a_folder_trains_on_its_labels_as_they_were_frozen(number: int):
    snapshot = sharing()[number]
    run = start_training(snapshot, snapshot.labels)
    request = train.request_from(train.parser().parse_args(arguments_for(run)))
    read = opened(request)
    request = with_rule(request, read.manifest)
    assert request.use_frozen_labels
    assert request.rule == LabelRule(**snapshot.manifest["rule"])
