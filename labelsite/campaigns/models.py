"""Who labels what next: campaigns, their tasks, and each person's lease on a task."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Cast
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from labelsite.accounts.models import User
from labelsite.autolabels.models import EstimateRun, ScoreRun
from labelsite.campaigns.gold_sources import SOURCE_LENGTH, source_in_words
from labelsite.campaigns.guideline import as_html
from labelsite.campaigns.priority_reasons import reason_text
from labelsite.problems.models import Solution

SECTION_LENGTH = 60
THIS_TRANSACTION = Cast(
    Cast(models.Func(function="pg_current_xact_id"), models.TextField()), models.BigIntegerField()
)


class Protocol(models.TextChoices):
    FIRST_MISTAKE = "first_mistake", _("first mistake")
    EVERY_OPTION = "every_option", _("every option")
    INDEX_ONLY = "index_only", _("index only")


class Exposure(models.TextChoices):
    """When an annotator sees what machines say of the steps."""

    NEVER = "never", _("never")
    AFTER = "after", _("after submitting (blind)")
    BEFORE = "before", _("from the start (assisted)")
    RANDOM = "random", _("a random arm for each task")


class Ordering(models.TextChoices):
    IMPORT_ORDER = "import_order", _("import order")
    RANDOM = "random", _("random")
    UNCERTAINTY = "uncertainty", _("uncertain to the PRM")
    DISAGREEMENT = "disagreement", _("PRM and rollouts disagree")
    CONVINCING_WRONG = "convincing_wrong", _("convincing but wrong")


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def visible_to(self, user: User) -> CampaignQuerySet:
        """Every campaign for reviewers and admins; for annotators those in which they may label."""
        return self if user.is_reviewer else self.filter(memberships__user=user, is_archived=False)


class Campaign(models.Model):
    name = models.CharField(max_length=120, unique=True)
    protocol = models.CharField(max_length=16, choices=Protocol.choices, default=Protocol.FIRST_MISTAKE)
    exposure = models.CharField(max_length=8, choices=Exposure.choices, default=Exposure.AFTER)
    ordering = models.CharField(max_length=20, choices=Ordering.choices, default=Ordering.IMPORT_ORDER)
    guideline = models.TextField(blank=True)
    guideline_version = models.PositiveSmallIntegerField(default=1)
    # How many people look at each solution; adaptive goes 1, 3, 5 until three agree.
    overlap = models.PositiveSmallIntegerField(default=1)
    adaptive_overlap = models.BooleanField(default=False)
    shows_reference_solution = models.BooleanField(default=False)
    shows_agreement = models.BooleanField(default=False)
    asks_reason = models.BooleanField(default=False)
    allows_editing = models.BooleanField(default=True)
    # Share of gold items mixed in unmarked, and the screening set that comes before real work.
    gold_rate = models.FloatField(default=0.0)
    screening_size = models.PositiveSmallIntegerField(default=0)
    screening_threshold = models.FloatField(default=0.75)
    generation = models.SmallIntegerField(default=0)
    is_paused = models.BooleanField(default=False)
    # Every annotator is a member, and whoever becomes one later; else only who is made one.
    is_for_everyone = models.BooleanField(default=False, db_default=False)
    # Put away: paused, and in no list but that of what was put away.
    is_archived = models.BooleanField(default=False, db_default=False)
    # Sections that are being renamed, from the old name to the new: what was broken off may be finished.
    renames = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    # Whose machine labels stand beside the steps, and whose scores order the queue.
    estimate_run = models.ForeignKey(
        EstimateRun, on_delete=models.SET_NULL, null=True, related_name="campaigns"
    )
    score_run = models.ForeignKey(ScoreRun, on_delete=models.SET_NULL, null=True, related_name="campaigns")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CampaignQuerySet.as_manager()

    @property
    def has_machine_labels(self) -> bool:
        """Whether machines say anything of its steps that could be shown beside them."""
        return self.estimate_run_id is not None or self.score_run_id is not None

    @property
    def guideline_html(self) -> SafeString:
        return as_html(self.guideline)


class MemberState(models.TextChoices):
    SCREENING = "screening", _("in screening")
    ADMITTED = "admitted", _("admitted")
    REFUSED = "refused", _("not admitted")
    PAUSED = "paused", _("paused")


class Membership(models.Model):
    """Who may label in a campaign, and in which of its sections."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    state = models.CharField(max_length=12, choices=MemberState.choices, default=MemberState.ADMITTED)
    # The sections that an admin gave this person, worked through in this order; none means all of them.
    sections = ArrayField(models.CharField(max_length=SECTION_LENGTH), default=list, blank=True)
    # The section that the person chose to work in for now; empty means whatever comes.
    chosen_section = models.CharField(max_length=SECTION_LENGTH, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["campaign", "user"], name="membership_once")]


class TaskKind(models.TextChoices):
    WORK = "work", _("work")
    GOLD = "gold", _("gold")
    SCREENING = "screening", _("screening")


class TaskState(models.TextChoices):
    OPEN = "open", _("open")
    DONE = "done", _("done")
    SET_ASIDE = "set_aside", _("set aside")


class Task(models.Model):
    """One solution in a campaign. `remaining` = overlap - live leases - submitted annotations."""

    # Found by the first constraint below.
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="tasks", db_index=False)
    solution = models.ForeignKey(Solution, on_delete=models.PROTECT, related_name="tasks")
    kind = models.CharField(max_length=10, choices=TaskKind.choices, default=TaskKind.WORK)
    # A named part of the campaign, such as an import or a subject; empty outside of any.
    section = models.CharField(max_length=SECTION_LENGTH, blank=True, default="", db_default="")
    state = models.CharField(max_length=10, choices=TaskState.choices, default=TaskState.OPEN)
    overlap = models.PositiveSmallIntegerField(default=1)
    remaining = models.PositiveSmallIntegerField(default=1)
    # Since a reviewer asked for one more person: agreement closes it only when so many are done.
    least_looks = models.PositiveSmallIntegerField(default=0, db_default=0)
    priority = models.FloatField(default=0.0)
    # Why this task comes when it comes: `Priority.code`, which `why` puts into the reader's language.
    priority_reason = models.CharField(max_length=200, blank=True)
    set_aside_reason = models.CharField(max_length=200, blank=True)
    # Acceptable first-mistake positions; -1 stands for "no mistake". Null: not gold.
    gold = ArrayField(models.SmallIntegerField(), null=True)
    gold_source = models.CharField(max_length=SOURCE_LENGTH, blank=True)
    # The transaction in which it last came into the queue or to another place there; a trigger keeps it.
    moved = models.BigIntegerField(db_default=THIS_TRANSACTION, editable=False)
    # When the transaction of its import began: by this an import's tasks are known.
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "solution"], name="task_once_per_campaign"),
            models.CheckConstraint(condition=models.Q(remaining__gte=0), name="task_remaining_not_negative"),
            models.CheckConstraint(
                condition=models.Q(remaining__lte=models.F("overlap")), name="task_remaining_within_overlap"
            ),
        ]
        indexes = [
            models.Index(
                models.F("campaign"),
                models.F("kind"),
                models.F("priority").desc(),
                models.F("id"),
                condition=models.Q(remaining__gt=0, state="open"),
                name="task_queue",
            ),
            # The same order inside each section. Tasks outside of any are not in it, so they cost nothing here.
            models.Index(
                models.F("campaign"),
                models.F("section"),
                models.F("kind"),
                models.F("priority").desc(),
                models.F("id"),
                condition=models.Q(remaining__gt=0, state="open") & ~models.Q(section=""),
                name="task_section_queue",
            ),
            models.Index(
                fields=["campaign", "kind", "moved"],
                condition=models.Q(remaining__gt=0, state="open"),
                name="task_moved",
            ),
            # What is open with no place left, in the order of the queue: few, but a list of the queue names them too.
            models.Index(
                models.F("campaign"),
                models.F("kind"),
                models.F("priority").desc(),
                models.F("id"),
                condition=models.Q(remaining=0, state="open"),
                name="task_in_hand",
            ),
            # The few gold and screening items among all the work.
            models.Index(
                fields=["campaign", "kind"], condition=~models.Q(kind="work"), name="task_testing_people"
            ),
            models.Index(
                fields=["campaign", "section"], condition=~models.Q(section=""), name="task_section"
            ),
        ]

    @property
    def why(self) -> str:
        return reason_text(self.priority_reason)

    @property
    def gold_from(self) -> str:
        return source_in_words(self.gold_source)

    @property
    def why_set_aside(self) -> str:
        return gettext(self.set_aside_reason) if self.set_aside_reason else ""


class AssignmentState(models.TextChoices):
    LEASED = "leased", _("leased")
    SUBMITTED = "submitted", _("submitted")
    LAPSED = "lapsed", _("lapsed")


class Assignment(models.Model):
    """Lease and result of one person on one task; the draft outlives the lease."""

    # Found by the constraint below.
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="assignments", db_index=False)
    annotator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="assignments"
    )
    state = models.CharField(max_length=10, choices=AssignmentState.choices, default=AssignmentState.LEASED)
    token = models.UUIDField(default=uuid.uuid4)
    attempt = models.PositiveSmallIntegerField(default=1)
    leased_until = models.DateTimeField()
    heartbeat_at = models.DateTimeField(null=True)
    exposure = models.CharField(max_length=8, choices=Exposure.choices, default=Exposure.AFTER)
    draft = models.JSONField(default=dict)
    draft_version = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "annotator"], name="assignment_once")]
        indexes = [
            models.Index(
                fields=["leased_until"], condition=models.Q(state="leased"), name="assignment_expiry"
            ),
            # A person's own leases are looked up at every step; their finished work must not slow that down.
            models.Index(fields=["annotator"], condition=models.Q(state="leased"), name="assignment_mine"),
            # The work of the last days, of which there is a plot.
            models.Index(
                fields=["heartbeat_at"], condition=models.Q(state="submitted"), name="assignment_submitted"
            ),
        ]
