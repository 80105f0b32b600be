"""Problems, solutions and steps. Alternatives share a position; at most one of them is chosen."""

from __future__ import annotations

from django.db import models


class Problem(models.Model):
    source = models.CharField(max_length=80)
    external_id = models.CharField(max_length=200)
    # sha256 over text and answer: the same question with another reference answer is another problem.
    digest = models.CharField(max_length=64)
    text = models.TextField()
    answer = models.TextField(null=True)
    reference_solution = models.TextField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "digest"], name="problem_once_per_source")]


class Solution(models.Model):
    # Found by the first constraint below.
    problem = models.ForeignKey(Problem, on_delete=models.CASCADE, related_name="solutions", db_index=False)
    external_id = models.CharField(max_length=200)
    # sha256 over id and every option's text, so that the same file imported twice adds nothing.
    digest = models.CharField(max_length=64)
    # What a record without an id knows it by too, where `digest` holds a number: an id, or once a line's number.
    adopted_digest = models.CharField(max_length=64, null=True)
    generator = models.CharField(max_length=200, null=True)
    final_answer = models.TextField(null=True)
    is_correct = models.BooleanField(null=True)
    # Positions on record; one without any option (PRM800K's open last step) has no Step row.
    position_count = models.PositiveSmallIntegerField()
    extra = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["problem", "digest"], name="solution_once_per_problem"),
            models.UniqueConstraint(
                fields=["problem", "adopted_digest"],
                condition=models.Q(adopted_digest__isnull=False),
                name="solution_adopted_once",
            ),
        ]


class StepSource(models.TextChoices):
    MODEL = "model"
    HUMAN = "human"


class Verdict(models.TextChoices):
    OK = "ok"
    PROGRAM_ERROR = "program_error"
    INFRASTRUCTURE = "infrastructure"


class Step(models.Model):
    # Found by the first constraint below.
    solution = models.ForeignKey(Solution, on_delete=models.CASCADE, related_name="step_rows", db_index=False)
    position = models.PositiveSmallIntegerField()
    option = models.PositiveSmallIntegerField(default=0)
    text = models.TextField()
    source = models.CharField(max_length=8, choices=StepSource.choices, default=StepSource.MODEL)
    # The option that the trajectory goes through.
    is_chosen = models.BooleanField(default=True)
    # What its code printed when it was executed along the path, and how that ended.
    output = models.TextField(null=True)
    verdict = models.CharField(max_length=16, choices=Verdict.choices, null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["solution", "position", "option"], name="step_once"),
            models.UniqueConstraint(
                fields=["solution", "position"], condition=models.Q(is_chosen=True), name="step_one_chosen"
            ),
        ]
