"""What machines say of steps: estimates from rollouts, scores from a process reward model, search trees."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from labelsite.autolabels.first_mistakes import NONE, UNKNOWN
from labelsite.jobs.models import Job
from labelsite.problems.models import Problem, Solution, Step


class EstimateRunQuerySet(models.QuerySet["EstimateRun"]):
    def with_jobs(self) -> EstimateRunQuerySet:
        """With their shards and jobs, but without the jobs' long columns, which no list and no page shows."""
        return self.prefetch_related(shards_with_jobs())


def shards_with_jobs() -> models.Prefetch[str]:
    shards = Shard.objects.select_related("job").defer("job__spec", "job__result").order_by("number")
    return models.Prefetch("shards", shards)


class EstimateRun(models.Model):
    """One `autolabel` run: everything needed to make it again stands here."""

    name = models.CharField(max_length=120)
    method = models.CharField(max_length=40)
    policy = models.CharField(max_length=200)
    parameters = models.JSONField(default=dict)
    seed = models.BigIntegerField(default=0)
    # What its cost depends on (see workload.py), so that it tells the cost of the next one; {} of one that was loaded
    # from files.
    workload = models.JSONField(default=dict)
    # It measured the cost on a few items, and kept nothing else.
    is_pilot = models.BooleanField(default=False)
    # The rest is read from the command's run.json.
    code_version = models.CharField(max_length=80, blank=True)
    # Of every level at which code ran: a cut would take away the last word of the last, which may be UNSAFE.
    sandbox_level = models.TextField(blank=True)
    cost = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    loaded_at = models.DateTimeField(null=True)

    objects = EstimateRunQuerySet.as_manager()


class Shard(models.Model):
    """One job's part of a run. The run is loaded when its last shard is: a join that is a counted row."""

    run = models.ForeignKey(EstimateRun, on_delete=models.CASCADE, related_name="shards")
    number = models.PositiveSmallIntegerField()
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="shard")
    # How many solutions or problems the job was given.
    size = models.PositiveIntegerField()
    loaded_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="shard_once")]


class SolutionEstimate(models.Model):
    # Found by the constraint below.
    run = models.ForeignKey(
        EstimateRun, on_delete=models.CASCADE, related_name="solution_estimates", db_index=False
    )
    solution = models.ForeignKey(Solution, on_delete=models.CASCADE, related_name="estimates")
    first_mistake = models.PositiveSmallIntegerField(null=True)
    # Without a first mistake: whether the run labelled every step, and so says that there is none. Else nobody knows.
    is_known = models.BooleanField(default=True, db_default=True)
    # The steps' q_value and soft again, in trajectory order: a campaign of a million labels is compared
    # from these in half a second, where joining every step's row takes three.
    q_values = ArrayField(models.FloatField(null=True), default=list)
    soft_values = ArrayField(models.FloatField(null=True), default=list)
    # The least confining level of the sandbox at which code ran for it; empty where none ran or nobody kept it.
    sandbox_level = models.CharField(max_length=80, blank=True, default="", db_default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "solution"], name="solution_estimate_once")]

    @property
    def named(self) -> int:
        """The 0-based step of the first mistake, NONE or UNKNOWN, as `first_mistakes.NAMED` has it in SQL."""
        if self.first_mistake is not None:
            return self.first_mistake
        return NONE if self.is_known else UNKNOWN


class StepEstimate(models.Model):
    # Found by the first constraint below.
    run = models.ForeignKey(
        EstimateRun, on_delete=models.CASCADE, related_name="step_estimates", db_index=False
    )
    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="estimates")
    visits = models.PositiveIntegerField()
    correct = models.PositiveIntegerField()
    q_value = models.FloatField(null=True)
    hard = models.PositiveSmallIntegerField(null=True)
    soft = models.FloatField(null=True)
    quality_value = models.FloatField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "step"], name="step_estimate_once"),
            models.CheckConstraint(
                condition=models.Q(correct__lte=models.F("visits")), name="step_estimate_counts"
            ),
            models.CheckConstraint(
                condition=models.Q(q_value__isnull=True) | models.Q(q_value__gte=-1, q_value__lte=1),
                name="step_estimate_q_value_range",
            ),
        ]


class SearchTree(models.Model):
    run = models.ForeignKey(EstimateRun, on_delete=models.CASCADE, related_name="trees")
    problem = models.ForeignKey(Problem, on_delete=models.CASCADE, related_name="search_trees")
    node_count = models.PositiveIntegerField()
    # The line of trees.jsonl: {"id", "method", "nodes": [...]}.
    data = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "problem"], name="search_tree_once")]


class DisputedAnswer(models.Model):
    """An answer that a run's rollouts reached and the two graders judge differently: for a person to decide."""

    run = models.ForeignKey(EstimateRun, on_delete=models.CASCADE, related_name="disputed_answers")
    problem = models.ForeignKey(Problem, on_delete=models.CASCADE, related_name="disputed_answers")
    # What it was graded against: the problem's own answer, or the policy's majority. Null where nobody kept it.
    reference = models.TextField(null=True)
    answer = models.TextField()
    # What the search went by: the first grader's opinion. The strict second one is the opposite.
    is_correct = models.BooleanField()
    verdict = models.BooleanField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "problem", "reference", "answer"], name="disputed_answer_once"
            ),
            models.CheckConstraint(
                condition=models.Q(verdict__isnull=True, decided_by__isnull=True, decided_at__isnull=True)
                | models.Q(verdict__isnull=False, decided_by__isnull=False, decided_at__isnull=False),
                name="disputed_answer_decided_by_somebody",
            ),
        ]


class UnansweredProblem(models.Model):
    """A problem that a run's policy could not answer, and why. A run keeps the first of them, and counts them all."""

    run = models.ForeignKey(EstimateRun, on_delete=models.CASCADE, related_name="unanswered_problems")
    problem = models.ForeignKey(Problem, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=300)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "problem"], name="unanswered_problem_once")]


class ScoreRun(models.Model):
    """One `score` run. The checkpoint lives further right, so only its hash and name are known here."""

    name = models.CharField(max_length=120)
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="score_run")
    checkpoint_sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    loaded_at = models.DateTimeField(null=True)


class StepScore(models.Model):
    # Found by the first constraint below.
    run = models.ForeignKey(ScoreRun, on_delete=models.CASCADE, related_name="step_scores", db_index=False)
    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="scores")
    score = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "step"], name="step_score_once"),
            models.CheckConstraint(condition=models.Q(score__gte=0, score__lte=1), name="step_score_range"),
        ]
