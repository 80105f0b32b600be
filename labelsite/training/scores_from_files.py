"""Takes in what `python -m ml score` found elsewhere, as a job of this site would have left it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from django.db import transaction

from labelsite.autolabels.importers import read_scores
from labelsite.autolabels.models import ScoreRun
from labelsite.campaigns.matching import match, with_rows
from labelsite.campaigns.models import Campaign
from labelsite.jobs.results import add_to_result, record_done
from labelsite.training.models import Checkpoint
from labelsite.training.services import load_campaign_scores
from ml.errors import BadRecord

# The verb of the job that says when scores were taken in; it has nothing left to do.
LOAD = "load"
LONGEST_NAME = 120


def load_file(
    campaign: Campaign, path: Path, checkpoint: Checkpoint, solutions: Path, format: str
) -> tuple[ScoreRun, dict[str, int]]:
    """Load the checkpoint's scores of the file `solutions`; they then stand in the campaign, and order its queue.

    All of it or nothing. Raises MisstepError, with file and line where a line is wrong.
    """
    # Every line is checked under its own file's name before anything is written.
    for _ in read_scores(path):
        pass
    matches = match(campaign, solutions, format)
    title = f"{campaign.name} · {checkpoint.run.name}"
    with tempfile.TemporaryDirectory() as beside, transaction.atomic():
        ready = Path(beside)
        if not with_rows(path, ready / "scores.jsonl", matches, steps_in="scores"):
            raise BadRecord(str(path), 1, "no line", "a line for each solution")
        # Whoever measures the checkpoint asks which solutions it had.
        given = [int(line.id) for line in read_scores(ready / "scores.jsonl")]
        spec = {"campaign": campaign.pk, "checkpoint": checkpoint.pk, "solutions": given}
        job = record_done(LOAD, title, spec)
        run = ScoreRun.objects.create(name=title[:LONGEST_NAME], job=job, checkpoint_sha256=checkpoint.sha256)
        checkpoint.score_runs.add(run)
        counts = load_campaign_scores(job, ready, lambda: None)
        add_to_result(job.pk, counts)
    return run, counts
