"""Starts training, scoring and evaluation, and loads what they leave.

Of these tables there is one other writer: `registering`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from labelsite.accounts.models import User
from labelsite.autolabels.loading import Check, load_scores
from labelsite.autolabels.models import ScoreRun
from labelsite.autolabels.services import start_scores
from labelsite.campaigns.models import Campaign, Ordering
from labelsite.campaigns.ordering import top_of_queue
from labelsite.campaigns.services import update_campaign
from labelsite.jobs.models import Job
from labelsite.jobs.services import enqueue
from labelsite.jobs.shared_folder import in_var
from labelsite.jobs.titles import worded
from labelsite.problems.models import Solution
from labelsite.snapshots.models import LabelSource, Snapshot
from labelsite.snapshots.services import MANIFEST_FILE, folder_of
from labelsite.training import checkpoints, evidence, options
from labelsite.training.joining import joined_name
from labelsite.training.label_checks import idle
from labelsite.training.models import Checkpoint, Evaluation, EvaluationKind, TrainingRun
from labelsite.training.pairing import OUTCOMES
from labelsite.training.refusals import refusals, refuse_base
from labelsite.training.wording import KINDS
from labelsite.wording import said
from ml.errors import MisstepError
from ml.snapshot import write_manifest

LONGEST_NAME = 120
TRAIN_TASK = "labelsite.training.tasks.run_training"
SCORE_TASK = "labelsite.training.tasks.run_campaign_scores"
EVALUATE_TASK = "labelsite.training.tasks.run_evaluation"
EVALUATED_FILES: Mapping[str, Sequence[str]] = {
    EvaluationKind.FIRST_MISTAKE: (
        "--solutions", "{in}/solutions.jsonl", "--format", "processbench", "--out", f"{{out}}/{OUTCOMES}",
        "--training-problems", f"{{in}}/{checkpoints.PROBLEMS}",
    ),
    # Written without the problems that the checkpoint was trained on.
    EvaluationKind.BEST_OF_N: ("--pool", "{in}/pool.jsonl"),
}  # fmt: skip


def start_training(
    snapshot: Snapshot,
    labels: str,
    objective: str = "classifier",
    base: str = "pocket",
    seed: int = 0,
    configuration: Mapping[str, Any] | None = None,
    created_by: User | None = None,
    name: str = "",
    more_snapshots: Sequence[Snapshot] = (),
) -> TrainingRun:
    """Queue a run on the snapshot, or on several together. `second_opinion` in the configuration is a checkpoint's
    sha256.

    Raises MisstepError for what the command would refuse by its arguments alone, for an option that would change
    nothing in these labels, for a flag that is neither true nor false, and for a checkpoint that is not here or no
    step classifier.
    """
    refuse_base(base)
    chosen = options.said(configuration or {})
    for complaint in idle(labels, chosen):
        raise MisstepError(complaint)
    for refused, words in refusals(objective, base, chosen):
        raise MisstepError(f"configuration {refused}: {words}")
    snapshots = [snapshot, *sorted(more_snapshots, key=lambda each: each.pk)]
    usual = worded(
        "%(kind)s · %(labels)s · %(snapshots)s",
        kind=worded(KINDS.get(objective, objective)),
        labels=worded(LabelSource(labels).label),
        snapshots=joined_name(snapshots),
    )
    title, name = (name, name[:LONGEST_NAME]) if name else _numbered(usual)
    arguments = [
        *_snapshot_arguments(snapshots), "--labels", labels, "--objective", objective, "--base", base,
        "--seed", str(seed), "--device", "auto", "--keep-state", *options.arguments_of(chosen),
        "--out", "{out}/checkpoint",
    ]  # fmt: skip
    options.refuse_what_the_command_would(arguments)
    with transaction.atomic():
        job = enqueue(
            kind="ml",
            verb="train",
            spec={"arguments": arguments},
            queue="gpu",
            created_by=created_by,
            task_name=TRAIN_TASK,
            title=title,
        )
        run = TrainingRun.objects.create(
            name=name,
            snapshot=snapshot,
            job=job,
            objective=objective,
            labels=labels,
            base=base,
            configuration=chosen,
            seed=seed,
            created_by=created_by,
        )
        run.more_snapshots.set(more_snapshots)
    return run


def _numbered(usual: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """A title and the run's name by it; from the second run of that name on with a number, or nobody could tell two
    with the same settings apart."""
    for number in count(1):
        end = f" ({number})" if number > 1 else ""
        name = said(usual)[: LONGEST_NAME - len(end)] + end
        if not TrainingRun.objects.filter(name=name).exists():
            break
    title = worded("%(title)s (%(number)s)", title=usual, number=number) if end else usual
    return title, name


def _snapshot_arguments(snapshots: Sequence[Snapshot]) -> Iterator[str]:
    for number, snapshot in enumerate(snapshots, start=1):
        yield from (
            "--snapshot",
            in_var(folder_of(snapshot)),
            "--manifest",
            f"{{in}}/{_manifest_name(number)}",
        )


def _manifest_name(number: int) -> str:
    return MANIFEST_FILE if number == 1 else f"{number}-{MANIFEST_FILE}"


def prepare_training(job: Job, folder: Path) -> None:
    """Write each snapshot's own manifest, and clear a checkpoint that an earlier attempt finished but nobody loaded.

    A snapshot's folder may have the manifest of another one of the same content, with another rule and name.
    The command writes over no checkpoint; its kept state makes the same one again within seconds.
    """
    for number, snapshot in enumerate(job.training_run.snapshots, start=1):
        write_manifest(folder / _manifest_name(number), snapshot.manifest)
    shutil.rmtree(job.outputs / "checkpoint", ignore_errors=True)


def load_checkpoint(run: TrainingRun, folder: Path) -> Checkpoint:
    """Verify the checkpoint in `folder`, keep it under its hash, and write its row.

    Raises MisstepError when it is not whole, or was trained on another snapshot than the run says.
    """
    sha256, card = checkpoints.verified(folder)
    trained_on = (card.get("snapshot") or {}).get("sha256")
    if trained_on != run.trained_on:
        raise MisstepError(f"{folder} was trained on snapshot {trained_on}, expected {run.trained_on}")
    kept = checkpoints.keep(folder, sha256)
    checkpoint, _made = Checkpoint.objects.update_or_create(
        run=run, defaults={"folder": kept.name, "sha256": sha256, "card": card}
    )
    return checkpoint


def score_campaign(checkpoint: Checkpoint, campaign: Campaign, created_by: User | None = None) -> ScoreRun:
    """Let the checkpoint score every solution of a campaign; its queue is then ordered by the scores.

    Raises MisstepError for a campaign without solutions.
    """
    with transaction.atomic():
        run = start_scores(
            Solution.objects.filter(tasks__campaign=campaign),
            in_var(checkpoints.checkpoint_path(checkpoint)),
            checkpoint.sha256,
            created_by=created_by,
            name=worded(
                gettext_noop("%(campaign)s by %(checkpoint)s"),
                campaign=campaign.name,
                checkpoint=checkpoint.run.name,
            ),
            task_name=SCORE_TASK,
            spec={"campaign": campaign.pk, "checkpoint": checkpoint.pk},
        )
        checkpoint.score_runs.add(run)
    return run


def load_campaign_scores(job: Job, folder: Path, check: Check) -> dict[str, Any]:
    """Load the scores, let them stand in the campaign unless later ones do, and serve convincing wrong answers first.

    The result has the first tasks of the queue before, and once all are in order those after, so that a page can show
    what changed.
    """
    run = job.score_run
    counts = load_scores(run, folder / "scores.jsonl", check)
    campaign = Campaign.objects.select_for_update().filter(pk=job.spec["campaign"]).first()
    if campaign is None:
        return counts
    if campaign.score_run_id and campaign.score_run_id > run.pk:
        # What was asked for later already stands there: a slow or repeated older scoring does not undo it.
        return counts
    before = top_of_queue(campaign)
    update_campaign(campaign, {"score_run": run, "ordering": Ordering.CONVINCING_WRONG}, loaded=job)
    return {**counts, "before": before}


def start_evaluation(
    checkpoint: Checkpoint,
    campaign: Campaign,
    created_by: User | None = None,
    kind: str = EvaluationKind.FIRST_MISTAKE,
) -> Evaluation:
    """Measure the checkpoint's scores of a campaign.

    First mistakes are compared with its gold, decided and people's labels; best-of-n chooses among the
    solutions of each problem. Raises MisstepError when the checkpoint has not scored the campaign, or nothing
    in it has a label, or no problem has several graded solutions.
    """
    run = _scores_to_measure(checkpoint, campaign, kind)
    with transaction.atomic():
        job = enqueue(
            kind="ml",
            verb="evaluate",
            spec={
                "campaign": campaign.pk,
                "score_run": run.pk,
                "kind": kind,
                "arguments": [str(kind), "--scores", "{in}/scores.jsonl", *EVALUATED_FILES[kind]],
            },
            queue="default",
            created_by=created_by,
            task_name=EVALUATE_TASK,
            title=worded(gettext_noop("evaluation on %(campaign)s"), campaign=campaign.name),
        )
        return Evaluation.objects.create(checkpoint=checkpoint, job=job, kind=kind, data=campaign.name[:200])


def _scores_to_measure(checkpoint: Checkpoint, campaign: Campaign, kind: str) -> ScoreRun:
    """The checkpoint's scores of the campaign; raises MisstepError where they, or what to compare with, are missing."""
    # A run for another campaign may have scored some of this one's solutions, and knows nothing of the rest. The
    # run that was asked for last was given the most of them.
    run = (
        checkpoint.score_runs.filter(loaded_at__isnull=False, job__spec__campaign=campaign.pk)
        .order_by("pk")
        .last()
    )
    about = {"campaign": campaign.name}
    if run is None:
        raise MisstepError(
            _("the checkpoint has no scores of %(campaign)s, expected it to score it first") % about
        )
    if kind == EvaluationKind.FIRST_MISTAKE and not evidence.has_labels(campaign):
        raise MisstepError(_("nothing in %(campaign)s has a label, expected people's labels or gold") % about)
    if kind == EvaluationKind.BEST_OF_N and not evidence.has_choices(campaign):
        raise MisstepError(
            _("no problem of %(campaign)s has several graded solutions to choose among") % about
        )
    return run
