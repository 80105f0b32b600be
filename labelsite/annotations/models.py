"""Finished looks at solutions. The label rules of the protocol are constraints of these tables."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext_lazy as _

from labelsite.campaigns.models import Exposure, Task
from labelsite.problems.models import Step


class FinishReason(models.TextChoices):
    FOUND_ERROR = "found_error", _("found the first mistake")
    SOLUTION = "solution", _("no mistake")
    BAD_PROBLEM = "bad_problem", _("bad problem")
    GIVE_UP = "give_up", _("gave up")


# Ends without a verdict on the solution; each has a reason of its own.
EXITS = (FinishReason.BAD_PROBLEM, FinishReason.GIVE_UP)


class Origin(models.TextChoices):
    ANNOTATOR = "annotator"
    IMPORT = "import"


def lawful(sql: str) -> models.Q:
    """A rule for labels made here; an imported row may break one when `broken_rule` names it."""
    return models.Q(RawSQL(f"(broken_rule <> '' OR ({sql}))", (), output_field=models.BooleanField()))


def first_mistake_sql(row: str) -> str:
    """`Annotation.first_mistake` in SQL, for the annotation that `row` names in the statement."""
    length = f"cardinality({row}.trajectory)"
    return (
        f"CASE {row}.finish_reason WHEN 'found_error' THEN {length} - 1"
        f" WHEN 'solution' THEN {length} - jsonb_array_length({row}.extra -> 'written') END"
    )


class Annotation(models.Model):
    """One person's finished look. `trajectory` holds the ratings along the chosen steps, from step 0 on."""

    # Found by the constraint of revisions below.
    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="annotations", db_index=False)
    annotator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="annotations"
    )
    # Corrections never overwrite: a new revision becomes the live one.
    revision = models.PositiveSmallIntegerField(default=1)
    is_live = models.BooleanField(default=True)
    origin = models.CharField(max_length=10, choices=Origin.choices, default=Origin.ANNOTATOR)
    finish_reason = models.CharField(max_length=12, choices=FinishReason.choices)
    reason = models.TextField(blank=True)
    trajectory = ArrayField(models.SmallIntegerField())
    total_time_ms = models.PositiveIntegerField(null=True)
    exposure = models.CharField(max_length=8, choices=Exposure.choices, default=Exposure.AFTER)
    changed_after_reveal = models.BooleanField(null=True)
    guideline_version = models.PositiveSmallIntegerField(default=1)
    idempotency_key = models.UUIDField(default=uuid.uuid4, unique=True)
    # Of the judgement as it was sent under that key; empty where nothing was sent.
    judgement_digest = models.CharField(max_length=32, blank=True, default="", db_default="")
    # The label rule that an imported row breaks; such rows are kept, and left out of training.
    broken_rule = models.CharField(max_length=60, blank=True)
    extra = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        # Exits are few, and every view of a campaign counts them.
        indexes = [
            models.Index(
                fields=["task"],
                condition=models.Q(is_live=True, finish_reason__in=["bad_problem", "give_up"]),
                name="annotation_exits",
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["task", "annotator"], condition=models.Q(is_live=True), name="annotation_one_live"
            ),
            models.UniqueConstraint(
                fields=["task", "annotator", "revision"], name="annotation_revision_once"
            ),
            models.CheckConstraint(
                condition=models.Q(broken_rule="") | models.Q(origin=Origin.IMPORT),
                name="annotation_only_imports_break_rules",
            ),
            models.CheckConstraint(
                condition=lawful(
                    "trajectory <@ ARRAY[-1,0,1]::smallint[] AND array_position(trajectory, NULL) IS NULL"
                ),
                name="annotation_ratings",
            ),
            models.CheckConstraint(
                condition=lawful("NOT (-1 = ANY(trajectory[1:cardinality(trajectory) - 1]))"),
                name="annotation_nothing_after_first_mistake",
            ),
            models.CheckConstraint(
                condition=lawful(
                    "(finish_reason = 'found_error') = "
                    "COALESCE(trajectory[cardinality(trajectory)] = -1, false)"
                ),
                name="annotation_found_error_means_a_mistake",
            ),
            models.CheckConstraint(
                condition=lawful("finish_reason <> 'solution' OR cardinality(trajectory) > 0"),
                name="annotation_solution_is_rated",
            ),
            models.CheckConstraint(
                condition=lawful(
                    "finish_reason NOT IN ('bad_problem', 'give_up') OR origin = 'import' OR reason <> ''"
                ),
                name="annotation_exit_has_a_reason",
            ),
        ]

    @property
    def first_mistake(self) -> int | None:
        """The position of the solution's first step that the person found wrong, or None.

        Somebody who went on through steps of their own to the final answer left the solution where it was wrong:
        those steps stand at the end of the trajectory, in place of the solution's.
        """
        if self.finish_reason == FinishReason.FOUND_ERROR:
            return len(self.trajectory) - 1
        own = len(self.extra.get("written", ())) if self.finish_reason == FinishReason.SOLUTION else 0
        return len(self.trajectory) - own if own else None

    @property
    def has_seen_machines(self) -> bool:
        """Whether the person has seen what machines say of the steps: from the start, or by uncovering it."""
        return self.exposure == Exposure.BEFORE or self.changed_after_reveal is not None

    @property
    def offers_second_look(self) -> bool:
        """Whether what machines say was kept from the person, and there is such a thing."""
        return self.exposure == Exposure.AFTER and self.task.campaign.has_machine_labels


class StepRating(models.Model):
    """What the person said of one option: -1, 0, +1, or null with `flagged` ("?": cannot say)."""

    # Found by the constraint below.
    annotation = models.ForeignKey(
        Annotation, on_delete=models.CASCADE, related_name="ratings", db_index=False
    )
    step = models.ForeignKey(Step, on_delete=models.PROTECT, related_name="ratings")
    rating = models.SmallIntegerField(null=True)
    flagged = models.BooleanField(null=True)
    milliseconds = models.PositiveIntegerField(null=True)
    note = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["annotation", "step"], name="step_rating_once"),
            models.CheckConstraint(
                condition=models.Q(rating__isnull=True) | models.Q(rating__in=[-1, 0, 1]),
                name="step_rating_range",
            ),
        ]


class PullPlace(models.Model):
    """An annotation's place in the order of pulls, which `pulling` gives after its commit: the row's own id."""

    # No constraint: checking it would write to every annotation, and none is ever deleted.
    annotation = models.OneToOneField(
        Annotation, on_delete=models.CASCADE, related_name="pull_place", db_constraint=False
    )
