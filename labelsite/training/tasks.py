"""The Celery tasks of this app: they only join a job to what it reads and what it leaves."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_noop

from labelsite.autolabels.loading import Check
from labelsite.autolabels.models import ScoreRun
from labelsite.autolabels.services import prepare_input
from labelsite.campaigns.models import Campaign
from labelsite.celery import application
from labelsite.jobs.models import Job
from labelsite.jobs.services import perform
from labelsite.training import checkpoints, evidence, services
from labelsite.training.models import EvaluationKind
from ml.errors import MisstepError
from ml.said import Said

LEFT_OUT = "left_out.json"


@application.task(name=services.TRAIN_TASK)
def run_training(job_id: int) -> None:
    perform(job_id, services.TRAIN_TASK, prepare=services.prepare_training, load=load_checkpoint)


@application.task(name=services.SCORE_TASK)
def run_campaign_scores(job_id: int) -> None:
    perform(job_id, services.SCORE_TASK, prepare=prepare_input, load=services.load_campaign_scores)


@application.task(name=services.EVALUATE_TASK)
def run_evaluation(job_id: int) -> None:
    # What the command prints is the job's result, and that is the evaluation's.
    perform(job_id, services.EVALUATE_TASK, prepare=prepare_evaluation, load=load_left_out)


def load_checkpoint(job: Job, folder: Path, check: Check) -> dict[str, Any]:
    checkpoint = services.load_checkpoint(job.training_run, folder / "checkpoint")
    # The states serve a resume; once the checkpoint's row is committed, nothing can resume any more.
    transaction.on_commit(partial(shutil.rmtree, folder / "checkpoint.state", ignore_errors=True))
    return {"checkpoint_id": checkpoint.pk, "sha256": checkpoint.sha256}


def prepare_evaluation(job: Job, folder: Path) -> None:
    campaign = Campaign.objects.filter(pk=job.spec["campaign"]).first()
    if campaign is None:
        raise MisstepError(Said(gettext_noop("the campaign is no longer there")))
    run = ScoreRun.objects.get(pk=job.spec["score_run"])
    known = checkpoints.training_problems(checkpoints.checkpoint_path(job.evaluation.checkpoint))
    if job.spec["kind"] == EvaluationKind.BEST_OF_N:
        left_out = evidence.write_pool(campaign, run, folder, known)
    else:
        left_out = evidence.write_files(campaign, run, folder)
        (folder / checkpoints.PROBLEMS).write_text("\n".join(sorted(known)), encoding="utf-8")
    (folder / LEFT_OUT).write_text(json.dumps(left_out), encoding="utf-8")


def load_left_out(job: Job, folder: Path, check: Check) -> dict[str, Any]:
    """The command cannot know what it was not given, so this stands beside the figures that it printed."""
    found: dict[str, Any] = json.loads((job.inputs / LEFT_OUT).read_text(encoding="utf-8"))
    return found
