"""Writes of this app: a reviewer's decisions. What becomes of the campaign is done by its own services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from labelsite.accounts.models import User
from labelsite.autolabels.models import EstimateRun
from labelsite.autolabels.parameters import method_in_words
from labelsite.autolabels.services import start_estimates
from labelsite.campaigns.gold import correct_gold
from labelsite.campaigns.gold_sources import decided_by
from labelsite.campaigns.models import Campaign, Task, TaskKind
from labelsite.campaigns.services import set_kind, update_campaign
from labelsite.comparison.decisions import before_keeping
from labelsite.comparison.evidence import NONE
from labelsite.comparison.models import Adjudication
from labelsite.jobs.models import Job
from labelsite.problems.models import Solution
from labelsite.problems.queries import trajectory_length
from ml.errors import MisstepError

ESTIMATE_TASK = "labelsite.comparison.tasks.run_campaign_estimates"


class DecidedMeanwhile(Exception):
    """Somebody else's decision stands, which the reviewer has not seen."""

    def __init__(self, standing: Adjudication) -> None:
        self.standing = standing
        super().__init__(f"{standing.reviewer.username} has decided meanwhile")


def adjudicate(
    task: Task,
    reviewer: User,
    positions: Sequence[int],
    note: str = "",
    make_gold: bool = False,
    seen: int | None = None,
) -> Adjudication:
    """Decide where the first mistake is: one position or several acceptable ones, -1 for no mistake.

    With `make_gold` the task also becomes gold, served unmarked to everybody; a screening item stays one, with this as
    its known answer. Gold that it has already does not outlive another decision.

    seen: the decision that stood when the reviewer looked, 0 where none did, None for who replaces whatever stands.
    Raises ValidationError, and DecidedMeanwhile where somebody else's stands than was seen.
    """
    chosen = sorted(set(positions))
    # A step that nobody chose is none of the solution's own, and no label can stand at it.
    last = trajectory_length(task.solution) - 1
    if not chosen:
        raise ValidationError(_("Mark at least one step, or “no mistake”."))
    if chosen[0] < NONE or chosen[-1] > last:
        raise ValidationError(_("The solution has steps 1 to %(last)s.") % {"last": last + 1})
    with transaction.atomic():
        # The task's lock makes two reviewers take turns: the second one sees the first one's word.
        is_screening = Task.objects.select_for_update().get(pk=task.pk).kind == TaskKind.SCREENING
        standing = Adjudication.objects.filter(task=task, is_live=True)
        _refuse_unseen(standing.select_related("reviewer").first(), reviewer, seen)
        standing.update(is_live=False)
        source = decided_by(reviewer.username)
        if make_gold and not is_screening:
            set_kind(task, TaskKind.GOLD, chosen, source, reviewer)
        else:
            correct_gold(task, chosen, source, reviewer)
        before_keeping()
        return Adjudication.objects.create(
            task=task,
            reviewer=reviewer,
            positions=chosen,
            note=note,
            made_gold=make_gold and not is_screening,
        )


def _refuse_unseen(standing: Adjudication | None, reviewer: User, seen: int | None) -> None:
    """Whoever presses twice, or goes back to their page, meets only their own word, which they may replace."""
    if standing and seen not in (None, standing.pk) and standing.reviewer_id != reviewer.pk:
        raise DecidedMeanwhile(standing)


def start_campaign_estimates(
    campaign: Campaign,
    created_by: User | None,
    method: str,
    policy: str,
    rollouts: int | None,
    seed: int,
    parameters: Mapping[str, Any] | None = None,
    is_pilot: bool = False,
) -> EstimateRun:
    """Let rollouts judge the campaign's solutions; once loaded, the run becomes the campaign's own. A pilot measures
    the cost on a few of them, and becomes nobody's.

    Raises MisstepError when there is nothing to judge.
    """
    solutions = Solution.objects.filter(tasks__campaign=campaign)
    return start_estimates(
        solutions,
        method=method,
        policy=policy,
        rollouts=rollouts,
        seed=seed,
        parameters=parameters,
        created_by=created_by,
        name=f"{campaign.name} · {method_in_words(method)}",
        task_name=ESTIMATE_TASK,
        spec={"campaign": campaign.pk},
        is_pilot=is_pilot,
    )


def use_run(campaign: Campaign, run: EstimateRun, loaded: Job | None = None) -> None:
    """Let a loaded run stand beside the campaign's steps, and order the queue by it where that is wanted.

    `loaded` is the job that has loaded it just now. A person may also choose an older run than the one that stands.
    """
    if run.loaded_at is None or run.is_pilot:
        raise MisstepError(f"run {run.name} has no estimates yet, expected one that is loaded")
    update_campaign(campaign, {"estimate_run": run}, loaded=loaded)
