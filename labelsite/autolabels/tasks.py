"""The Celery tasks of this app: they only join a job to what it reads and what it leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from labelsite.autolabels import executions, loading, pilots, services
from labelsite.celery import application
from labelsite.jobs.models import Job
from labelsite.jobs.services import perform


@application.task(name=services.ESTIMATE_TASK)
def run_estimates(job_id: int) -> None:
    perform(job_id, services.ESTIMATE_TASK, prepare=services.prepare_input, load=load_estimates)


@application.task(name=pilots.PILOT_TASK)
def run_pilot(job_id: int) -> None:
    perform(job_id, pilots.PILOT_TASK, prepare=services.prepare_input, load=load_pilot)


@application.task(name=services.SCORE_TASK)
def run_scores(job_id: int) -> None:
    perform(job_id, services.SCORE_TASK, prepare=services.prepare_input, load=load_scores)


@application.task(name=executions.TASK)
def run_executions(job_id: int) -> None:
    perform(job_id, executions.TASK, prepare=executions.prepare_paths, load=load_executions)


def load_executions(job: Job, folder: Path, check: Callable[[], None]) -> dict[str, Any]:
    return executions.load_executions(folder / "executions.jsonl", check)


def load_estimates(job: Job, folder: Path, check: Callable[[], None]) -> dict[str, Any]:
    return loading.load_shard(job.shard, folder, check)


def load_pilot(job: Job, folder: Path, check: Callable[[], None]) -> dict[str, Any]:
    return pilots.load_pilot(job.shard, folder, check)


def load_scores(job: Job, folder: Path, check: Callable[[], None]) -> dict[str, Any]:
    return loading.load_scores(job.score_run, folder / "scores.jsonl", check)
