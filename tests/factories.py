"""Plain functions that make rows for tests: real rows in the real database, with sensible defaults."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from typing import Any

from django.test import Client
from django.utils import timezone

from labelsite.accounts.models import ApiToken, Role, User
from labelsite.annotations.models import Annotation, FinishReason, StepRating
from labelsite.autolabels.models import EstimateRun, ScoreRun, SolutionEstimate, StepEstimate, StepScore
from labelsite.campaigns.models import Assignment, AssignmentState, Campaign, Membership, Task
from labelsite.jobs.models import Job, JobState
from labelsite.problems.models import Problem, Solution, Step
from labelsite.training.models import Checkpoint, Evaluation
from ml.snapshot import split_of

PASSWORD = "a password for tests only"
_numbers = itertools.count(1)


def digest_of(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()


def make_user(role: str = Role.ANNOTATOR, username: str | None = None, **fields: Any) -> User:
    """A person who can log in with PASSWORD."""
    name = username or f"{role}{next(_numbers)}"
    return User.objects.create_user(username=name, password=PASSWORD, role=role, **fields)


def log_in(client: Client, role: str, username: str | None = None) -> User:
    """A new person of this role, as whom the client goes on."""
    user = make_user(role, username)
    client.force_login(user)
    return user


def make_machine(username: str = "imported:test") -> User:
    """The labeler of imported labels, which cannot log in."""
    machine = User(username=username, is_machine=True)
    machine.set_unusable_password()
    machine.save()
    return machine


def make_token(user: User, name: str = "script") -> str:
    """A new API token of `user`; the returned text is what a script sends."""
    token = f"token-{next(_numbers)}-{user.username}"
    ApiToken.objects.create(user=user, name=name, digest=ApiToken.digest_of(token))
    return token


def make_campaign(name: str | None = None, members: Sequence[User] = (), **fields: Any) -> Campaign:
    """A campaign in which `members` may label."""
    campaign = Campaign.objects.create(name=name or f"Campaign {next(_numbers)}", **fields)
    for member in members:
        make_member(campaign, member)
    return campaign


def make_member(campaign: Campaign, user: User, **fields: Any) -> Membership:
    return Membership.objects.create(campaign=campaign, user=user, **fields)


def _text_to_train_on() -> str:
    """A new text that every snapshot puts among those to train on, so that no test hangs on a number's luck."""
    texts = (f"What is 2 + 2? ({number})" for number in _numbers)
    return next(text for text in texts if split_of(text) == "train")


def make_problem(text: str | None = None, answer: str | None = "4", source: str = "test") -> Problem:
    """A problem; the same text and answer give the same row. Without a text it falls into "train"."""
    text = text or _text_to_train_on()
    problem, _ = Problem.objects.get_or_create(
        source=source,
        digest=digest_of(text, answer),
        defaults={"text": text, "answer": answer, "external_id": str(next(_numbers))},
    )
    return problem


def make_solution(
    steps: Sequence[str | Sequence[str]] = ("First, 2 + 2 = 4.", "So the answer is 4."),
    problem: str | Problem | None = None,
    answer: str | None = "4",
    final_answer: str | None = "4",
    is_correct: bool | None = True,
    **fields: Any,
) -> Solution:
    """A solution; a step that is a list of texts is a position with alternatives, its first one chosen."""
    parent = problem if isinstance(problem, Problem) else make_problem(problem, answer)
    number = str(next(_numbers))
    solution = Solution.objects.create(
        problem=parent,
        external_id=fields.pop("external_id", number),
        digest=fields.pop("digest", digest_of(number, list(steps))),
        final_answer=final_answer,
        is_correct=is_correct,
        position_count=len(steps),
        **fields,
    )
    for position, options in enumerate(steps):
        texts = [options] if isinstance(options, str) else options
        for option, text in enumerate(texts):
            Step.objects.create(
                solution=solution, position=position, option=option, text=text, is_chosen=option == 0
            )
    return solution


def make_task(campaign: Campaign | None = None, solution: Solution | None = None, **fields: Any) -> Task:
    """A task open to `overlap` people (the campaign's own overlap unless given)."""
    campaign = campaign or make_campaign()
    overlap = fields.pop("overlap", campaign.overlap)
    fields.setdefault("remaining", overlap)
    return Task.objects.create(
        campaign=campaign, solution=solution or make_solution(), overlap=overlap, **fields
    )


def finish_reason_of(trajectory: Sequence[int]) -> str:
    return FinishReason.FOUND_ERROR if -1 in trajectory else FinishReason.SOLUTION


def make_annotation(
    task: Task,
    annotator: User,
    trajectory: Sequence[int] = (1, 1),
    rated: Sequence[int] | None = None,
    **fields: Any,
) -> Annotation:
    """A submitted annotation with its ratings and its assignment; `task.remaining` is counted down.

    `rated`: what the solution's own steps got, where that is not the trajectory.
    """
    fields.setdefault("finish_reason", finish_reason_of(trajectory))
    annotation = Annotation.objects.create(
        task=task, annotator=annotator, trajectory=list(trajectory), **fields
    )
    chosen = {step.position: step for step in task.solution.step_rows.filter(is_chosen=True)}
    for position, rating in enumerate(trajectory if rated is None else rated):
        StepRating.objects.create(annotation=annotation, step=chosen[position], rating=rating)
    if not annotator.is_machine:
        Assignment.objects.create(
            task=task, annotator=annotator, state=AssignmentState.SUBMITTED, leased_until=timezone.now()
        )
        task.remaining = max(0, task.remaining - 1)
        task.save(update_fields=["remaining"])
    return annotation


def make_estimates(
    solution: Solution,
    q_values: Sequence[float],
    run: EstimateRun | None = None,
    first_mistake: int | None = None,
    visits: int = 16,
) -> EstimateRun:
    """Monte Carlo estimates of the chosen steps, from rollouts of which the share q was correct."""
    run = run or make_estimate_run()
    # The shares of right rollouts as whole counts give them, as a run's own files would.
    shares = [round(q_value * visits) / visits for q_value in q_values]
    SolutionEstimate.objects.create(
        run=run,
        solution=solution,
        first_mistake=first_mistake,
        q_values=list(q_values),
        soft_values=shares,
    )
    steps = solution.step_rows.filter(is_chosen=True).order_by("position")
    for step, q_value in zip(steps, q_values, strict=True):
        correct = round(q_value * visits)
        StepEstimate.objects.create(
            run=run, step=step, visits=visits, correct=correct, q_value=q_value,
            hard=int(correct > 0), soft=correct / visits,
        )  # fmt: skip
    return run


def make_estimate_run(**fields: Any) -> EstimateRun:
    defaults: dict[str, Any] = {
        "name": f"Run {next(_numbers)}",
        "method": "math-shepherd",
        "policy": "pocket",
        "loaded_at": timezone.now(),
    }
    return EstimateRun.objects.create(**{**defaults, **fields})


def make_scores(solution: Solution, scores: Sequence[float], run: ScoreRun | None = None) -> ScoreRun:
    """A process reward model's scores of the chosen steps."""
    run = run or make_score_run(loaded_at=timezone.now())
    steps = solution.step_rows.filter(is_chosen=True).order_by("position")
    for step, score in zip(steps, scores, strict=True):
        StepScore.objects.create(run=run, step=step, score=score)
    return run


def make_score_run(**fields: Any) -> ScoreRun:
    defaults: dict[str, Any] = {"name": f"Scores {next(_numbers)}", "checkpoint_sha256": "0" * 64}
    if "job" not in fields:
        defaults["job"] = make_job(verb="score", state=JobState.DONE)
    return ScoreRun.objects.create(**{**defaults, **fields})


def make_job(**fields: Any) -> Job:
    defaults: dict[str, Any] = {"title": "A job", "verb": "sample", "task_name": "labelsite.jobs.tasks.run"}
    return Job.objects.create(**{**defaults, **fields})


def make_evaluation(
    checkpoint: Checkpoint, result: dict[str, Any], kind: str = "first-mistake", data: str = "sums"
) -> Evaluation:
    """An evaluation whose job is done, and measured `result`."""
    job = make_job(verb="evaluate", state=JobState.DONE, result=result)
    return Evaluation.objects.create(checkpoint=checkpoint, job=job, kind=kind, data=data)
