"""Builds the demo campaigns: pocket problems, with solutions sampled and searched on this machine.

Every stage looks for its own result first, so that an interrupted build goes on where it stopped.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from labelsite.annotations.importers import import_file
from labelsite.autolabels.models import EstimateRun
from labelsite.autolabels.services import start_estimates, start_search
from labelsite.campaigns.models import Campaign, Exposure
from labelsite.campaigns.services import update_campaign
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.services import retry
from labelsite.jobs.tasks import run_here
from labelsite.problems.models import Problem, Solution
from labelsite.snapshots.models import LabelSource, Snapshot
from labelsite.snapshots.services import freeze
from labelsite.training.models import Checkpoint, TrainingRun
from labelsite.training.services import score_campaign, start_training
from ml.errors import MisstepError
from ml.whole_file import write_lines

Say = Callable[[str], None]

PROBLEMS = 60
SOLUTIONS = 4
ROLLOUTS = 8
TREES = 12
# Two workers share the rollouts.
SHARD = PROBLEMS * SOLUTIONS // 2
BLIND, ASSISTED = "Pocket arithmetic, blind", "Pocket arithmetic, assisted"
EXPOSURES = {BLIND: Exposure.AFTER, ASSISTED: Exposure.BEFORE}
GUIDELINE = (
    "Each solution works out one expression. Find the first step with a wrong value, a miscopied number "
    "or wrong code. What builds correctly on an earlier mistake is never reached: stop at the first mistake."
)
RUN_NAME = "Pocket solutions, rollouts from every step"
SEARCH_NAME = "Pocket problems, searched from scratch"
SNAPSHOT_NAME = "Pocket arithmetic, mixed labels"
# Of 240 solutions a linear head learns little; the reader's own language head a lot.
BASE, LEARNING = "pocket-reader", {"head": "likelihood"}


def build(say: Say) -> None:
    """Make whatever of the demo is not there yet. Raises MisstepError when a stage fails.

    Once there is the snapshot the campaigns are people's, who may have renamed or deleted them and changed any setting.
    """
    snapshot = Snapshot.objects.filter(name=SNAPSHOT_NAME).select_related("campaign").first()
    blind, *others = _made(snapshot.campaign) if snapshot else _campaigns(say)
    _execute(blind, say)
    run = _estimates(blind, say)
    _search(blind, say)
    if snapshot is None:
        for campaign in (blind, *others):
            _show(run, campaign)
        snapshot = freeze(Campaign.objects.get(pk=blind.pk), LabelSource.MIXED, name=SNAPSHOT_NAME)
    checkpoint = _train(snapshot, say)
    for campaign in (blind, *others):
        _order(campaign, checkpoint, say)


def _made(blind: Campaign) -> list[Campaign]:
    return [blind, *Campaign.objects.filter(name=ASSISTED).exclude(pk=blind.pk)]


def _campaigns(say: Say) -> list[Campaign]:
    samples = _sample(say)
    return [_campaign(name, samples, say) for name in EXPOSURES]


def _sample(say: Say) -> Path:
    """Solutions of the pocket policy, half in prose and half in code steps, as one file."""
    folder = Path(settings.VAR) / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "samples.jsonl"
    if not path.exists():
        say(f"sampling {SOLUTIONS} solutions to each of {PROBLEMS} pocket problems")
        parts = [_sample_style(style, folder / f"{style}.jsonl") for style in ("prose", "code")]
        write_lines(path, (_joined(lines) for lines in zip(*parts, strict=True)))
    return path


def _joined(lines: Sequence[str]) -> dict[str, Any]:
    """The same problem's lines as one, with the solutions of all."""
    records = [json.loads(line) for line in lines]
    return {**records[0], "solutions": [solution for record in records for solution in record["solutions"]]}


def _sample_style(style: str, path: Path) -> list[str]:
    command = [sys.executable, "-m", "ml", "sample", "--problems", f"pocket:{PROBLEMS}", "--policy", "pocket"]
    command += ["--style", style, "--n", str(SOLUTIONS // 2), "--temperature", "0.8", "--seed", "0"]
    done = subprocess.run([*command, "--out", str(path)], cwd=settings.BASE_DIR, stdout=subprocess.DEVNULL)
    if done.returncode:
        raise MisstepError(f"{' '.join(command[1:])} ended with {done.returncode}, expected 0")
    return path.read_text(encoding="utf-8").splitlines()


def _campaign(name: str, samples: Path, say: Say) -> Campaign:
    campaign = Campaign.objects.filter(name=name).first()
    if campaign is None:
        say(f"campaign: {name}")
        # Together, or an interrupted build would leave a campaign that it takes for a finished one.
        with transaction.atomic():
            import_file(samples, "misstep", name)
            campaign = Campaign.objects.get(name=name)
            campaign = update_campaign(campaign, {"exposure": EXPOSURES[name], "guideline": GUIDELINE})
    return campaign


def _solutions(campaign: Campaign) -> QuerySet[Solution]:
    return Solution.objects.filter(tasks__campaign=campaign)


def _execute(campaign: Campaign, say: Say) -> None:
    """The import queued this."""
    ours = Job.objects.filter(verb="execute", created_by=None)
    solutions = list(_solutions(campaign).values_list("pk", flat=True))
    _finish(list(ours.filter(spec__solutions__contained_by=solutions)), say, "running the code of the steps")


def _estimates(campaign: Campaign, say: Say) -> EstimateRun:
    run = EstimateRun.objects.filter(name=RUN_NAME).first()
    if run is None:
        run = start_estimates(_solutions(campaign), rollouts=ROLLOUTS, name=RUN_NAME, shard_size=SHARD)
    _finish([shard.job for shard in run.shards.select_related("job")], say, "rollouts from every step")
    return run


def _show(run: EstimateRun, campaign: Campaign) -> None:
    if campaign.estimate_run_id is None:
        update_campaign(campaign, {"estimate_run": run})


def _search(campaign: Campaign, say: Say) -> None:
    run = EstimateRun.objects.filter(name=SEARCH_NAME).first()
    if run is None:
        chosen = Problem.objects.filter(solutions__in=_solutions(campaign)).order_by("pk").distinct()
        ids = list(chosen.values_list("pk", flat=True)[:TREES])
        problems = Problem.objects.filter(pk__in=ids)
        run = start_search(problems, rollouts=16, parameters={"style": "code"}, name=SEARCH_NAME)
    _finish([shard.job for shard in run.shards.select_related("job")], say, "search trees")


def _train(snapshot: Snapshot, say: Say) -> Checkpoint:
    run = TrainingRun.objects.filter(name=SNAPSHOT_NAME).select_related("job").first()
    if run is None:
        run = start_training(snapshot, labels="mixed", base=BASE, configuration=LEARNING, name=SNAPSHOT_NAME)
    _finish([run.job], say, "a process reward model")
    return Checkpoint.objects.get(run=run)


def _order(campaign: Campaign, checkpoint: Checkpoint, say: Say) -> None:
    """Scores of the demo's own checkpoint, once; a campaign that people have given others keeps them."""
    run = checkpoint.score_runs.filter(job__spec__campaign=campaign.pk).order_by("pk").first()
    if run is None and campaign.score_run_id is None:
        run = score_campaign(checkpoint, campaign)
    if run is not None:
        _finish([Job.objects.get(score_run=run)], say, f"scores for {campaign.name}")


def _finish(jobs: list[Job], say: Say, what: str) -> None:
    """See the jobs through, telling how far they are: a waiting one is run here, others a worker has.

    What ended without success before this start is tried again: what stood in its way may be gone.
    """
    for job in jobs:
        retry(job)
        job.refresh_from_db()
    with _telling(jobs, say, what):
        for job in jobs:
            while job.state in (JobState.QUEUED, JobState.RUNNING):
                run_here(job)
                job.refresh_from_db()
                if job.state == JobState.RUNNING:
                    time.sleep(0.5)
            if job.state != JobState.DONE:
                raise MisstepError(f"{what}: job {job.pk} is {job.state}: {job.error}")


@contextmanager
def _telling(jobs: list[Job], say: Say, what: str) -> Iterator[None]:
    """Say every few seconds how much of the jobs' work is done while the block runs."""
    ended = threading.Event()

    def tell() -> None:
        while not ended.wait(5):
            reports = Job.objects.filter(pk__in=[job.pk for job in jobs]).values_list("progress", flat=True)
            done = sum(report.get("done") or 0 for report in reports)
            if unit := next((report["unit"] for report in reports if "unit" in report), ""):
                say(f"{what}: {done} {unit} done")

    thread = threading.Thread(target=tell, daemon=True)
    if any(job.state != JobState.DONE for job in jobs):
        say(what)
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if thread.is_alive():
            thread.join()
