"""Scores that were made elsewhere of a file become a campaign's, and order its queue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from labelsite.annotations.importers import import_file
from labelsite.autolabels.models import ScoreRun, StepScore
from labelsite.campaigns.models import Campaign, Ordering, Task
from labelsite.jobs.models import Job
from labelsite.training.evidence import write_files
from labelsite.training.models import Checkpoint
from tests.autolabels.files import write_lines
from tests.factories import log_in
from tests.training.test_checkpoints import write_checkpoint
from tests.training.test_pages import make_snapshot

pytestmark = pytest.mark.django_db
LINES = [{"id": f"s{k}", "problem": f"1 + {k}?", "steps": ["We add.", "So."]} for k in range(2)]


def checkpoint_here(folder: Path) -> Checkpoint:
    write_checkpoint(folder / "trained", make_snapshot().sha256, objective="classifier")
    call_command("register_checkpoint", str(folder / "trained"))
    return Checkpoint.objects.get()


def load(path: Path, solutions: Path, checkpoint: int, **options: Any) -> None:
    call_command(
        "load_scores", str(path), campaign="Own", checkpoint=checkpoint, solutions=solutions, format="records"
    )


def test_scores_of_the_command_line_become_the_campaign_s_and_the_checkpoint_s(tmp_path: Path, client):
    checkpoint = checkpoint_here(tmp_path)
    solutions = write_lines(tmp_path / "own.jsonl", LINES)
    import_file(solutions, "records", "Own", create=True)
    scores = [{"id": "s1", "scores": [0.5, None]}, {"id": "s0", "scores": [1.0, 0.25]}]
    load(write_lines(tmp_path / "scores.jsonl", scores), solutions, checkpoint.pk)
    campaign = Campaign.objects.get(name="Own")
    assert campaign.score_run in checkpoint.score_runs.all() and campaign.score_run.loaded_at
    assert campaign.ordering == Ordering.CONVINCING_WRONG
    found = StepScore.objects.values_list("step__solution__external_id", "step__position", "score")
    assert set(found) == {("s1", 0, 0.5), ("s0", 0, 1.0), ("s0", 1, 0.25)}
    # The checkpoint can be measured by them, as by those that this site made.
    Task.objects.filter(campaign=campaign).update(gold=[1])
    left_out = write_files(campaign, campaign.score_run, tmp_path)
    assert left_out == {"never_scored": 0, "behind_chosen_steps": 0}
    log_in(client, "admin")
    for page in (
        reverse("training:scores", args=[campaign.score_run.pk]),
        reverse("jobs:detail", args=[campaign.score_run.job_id]),
        reverse("training:checkpoint", args=[checkpoint.pk]),
    ):
        assert client.get(page).status_code == 200, page


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ({"id": "s9", "scores": [1, 1]}, r"scores\.jsonl:2: id 's9', expected an id of"),
        ({"id": "s1", "scores": [1]}, r"scores\.jsonl:2: 1 scores of 's1'"),
        ({"id": "s1", "scores": [1, 2]}, r"scores\.jsonl:2: score 2, expected a number between 0 and 1"),
    ],
)
def test_a_score_that_does_not_belong_is_refused_and_nothing_is_loaded(
    tmp_path: Path, line: dict[str, Any], complaint: str
):
    checkpoint = checkpoint_here(tmp_path)
    solutions = write_lines(tmp_path / "own.jsonl", LINES)
    import_file(solutions, "records", "Own", create=True)
    jobs = Job.objects.count()
    path = write_lines(tmp_path / "scores.jsonl", [{"id": "s0", "scores": [1, 1]}, line])
    with pytest.raises(CommandError, match=complaint):
        load(path, solutions, checkpoint.pk)
    assert not ScoreRun.objects.exists() and Job.objects.count() == jobs


def test_scores_of_a_checkpoint_that_is_not_here_are_refused(tmp_path: Path):
    solutions = write_lines(tmp_path / "own.jsonl", LINES)
    import_file(solutions, "records", "Own", create=True)
    with pytest.raises(CommandError, match="no checkpoint 12, expected one of this site"):
        load(tmp_path / "scores.jsonl", solutions, 12)
