"""The machines' half of the loop on real commands: rollouts, snapshot, training, scores, a new queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelsite.campaigns.models import Campaign
from labelsite.comparison.evidence import judgements, rated_steps
from labelsite.comparison.services import start_campaign_estimates
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.tasks import run_here
from labelsite.snapshots.services import freeze
from labelsite.training import services
from labelsite.training.curves import read_curves
from tests.factories import make_user
from tests.training.pocket import pocket_campaign

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path: Path) -> None:
    settings.VAR = tmp_path / "var"


def run(job: Job) -> Job:
    run_here(job)
    job.refresh_from_db()
    assert job.state == JobState.DONE, job.error
    return job


def test_rollouts_train_a_model_whose_scores_reorder_the_queue():
    annotator = make_user()
    campaign = pocket_campaign(count=40, annotator=annotator, labeled=30)

    estimates = start_campaign_estimates(campaign, None, "math-shepherd", "pocket", rollouts=2, seed=0)
    run(estimates.job)
    campaign = Campaign.objects.get(pk=campaign.pk)
    estimates.refresh_from_db()
    assert campaign.estimate_run_id == estimates.pk
    assert estimates.loaded_at and estimates.sandbox_level and estimates.cost["tokens"] > 0
    looks = judgements(campaign, estimates)
    assert len(looks) == 30 and (looks.machine > -2).all()
    assert rated_steps(campaign, estimates).total > 30

    training = services.start_training(
        freeze(campaign, "mixed"), "mixed", configuration={"steps": 12, "batch_size": 8}
    )
    job = run(training.job)
    checkpoint = training.checkpoint
    assert job.result["sha256"] == checkpoint.sha256
    assert checkpoint.card["snapshot"]["sha256"] == training.snapshot.sha256
    assert (services.checkpoint_path(checkpoint) / "model.safetensors").is_file()
    assert not (job.outputs / "checkpoint.state").exists()
    assert read_curves(job.folder / "progress.jsonl")["loss"][-1][0] == 12

    scores = services.score_campaign(checkpoint, campaign)
    result = run(scores.job).result
    campaign = Campaign.objects.get(pk=campaign.pk)
    assert (campaign.score_run_id, campaign.ordering) == (scores.pk, "convincing_wrong")
    assert scores.step_scores.count() == sum(task.solution.position_count for task in campaign.tasks.all())
    assert result["before"] != result["after"] == services.top_of_queue(campaign)
    first = campaign.tasks.select_related("solution").get(pk=result["after"][0])
    assert first.solution.is_correct is False
    assert "wrong answer" in first.why

    evaluation = services.start_evaluation(checkpoint, campaign)
    run(evaluation.job)
    evaluation.refresh_from_db()
    assert evaluation.figures["count"] == 30
    assert 0 <= evaluation.figures["held_out"]["exact"] <= 1
