"""Training runs, the checkpoints that they leave, and what was measured of them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models

from labelsite.autolabels.models import ScoreRun
from labelsite.jobs.models import Job, JobState
from labelsite.snapshots.models import Snapshot
from labelsite.training.joining import joined_hash
from labelsite.training.measured import measured


class TrainingRun(models.Model):
    name = models.CharField(max_length=120)
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="training_runs")
    # Trained on together with the first.
    more_snapshots = models.ManyToManyField(Snapshot, related_name="joined_training_runs")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="training_run")
    objective = models.CharField(max_length=20)
    labels = models.CharField(max_length=10)
    base = models.CharField(max_length=200)
    configuration = models.JSONField(default=dict)
    seed = models.BigIntegerField(default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    @property
    def snapshots(self) -> list[Snapshot]:
        """All that it is trained on, in the order in which the command gets them."""
        return [self.snapshot, *sorted(self.more_snapshots.all(), key=lambda each: each.pk)]

    @property
    def trained_on(self) -> str:
        """The sha256 of what it is trained on, as its card will name it."""
        return joined_hash(self.snapshots)


class Checkpoint(models.Model):
    run = models.OneToOneField(TrainingRun, on_delete=models.PROTECT, related_name="checkpoint")
    # Folder below VAR/checkpoints: safetensors, config, tokenizer, card.json.
    folder = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    card = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)
    score_runs = models.ManyToManyField(ScoreRun, related_name="checkpoints")

    @property
    def validation(self) -> dict[str, Any]:
        """What its training measured on held-out problems; {} where there were none."""
        return measured((self.card.get("metrics") or {}).get("validation"))


class EvaluationKind(models.TextChoices):
    """What `python -m ml evaluate` measures, by its own words."""

    FIRST_MISTAKE = "first-mistake"
    BEST_OF_N = "best-of-n"


class Evaluation(models.Model):
    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.CASCADE, related_name="evaluations")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="evaluation")
    kind = models.CharField(max_length=40)
    data = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    @property
    def figures(self) -> dict[str, Any] | None:
        """What the command printed; None until its job is done."""
        return self.job.result if self.job.state == JobState.DONE else None

    @property
    def held_out(self) -> dict[str, Any]:
        """First mistakes, each half of the problems with the other half's threshold."""
        return measured((self.figures or {}).get("held_out"))

    @property
    def unseen(self) -> dict[str, Any]:
        """The same, on problems that the checkpoint was not trained on; {} where nobody told them apart."""
        return measured((self.figures or {}).get("unseen"))
