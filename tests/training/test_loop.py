"""The machines' half of the loop on real commands: rollouts, snapshot, training, scores, a new queue."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
from django.utils import timezone

from labelsite.autolabels.models import ScoreRun, StepScore
from labelsite.campaigns.models import Campaign
from labelsite.comparison import evidence
from labelsite.comparison.services import start_campaign_estimates
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.series import read_metrics
from labelsite.jobs.tasks import run_here
from labelsite.problems.models import Solution, Step
from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.services import freeze
from labelsite.training import checkpoints, services
from labelsite.training.models import Checkpoint, EvaluationKind
from labelsite.training.pairing import OUTCOMES, RULE
from labelsite.training.plots import choices, evaluation_charts
from ml.errors import MisstepError
from ml.evaluation.outcomes import read_outcomes
from ml.snapshot import problem_hash
from tests.factories import (
    make_annotation,
    make_campaign,
    make_job,
    make_problem,
    make_solution,
    make_task,
    make_user,
)
from tests.training.pocket import pocket_campaign

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("warm_children")]


def run(job: Job) -> Job:
    run_here(job)
    job.refresh_from_db()
    assert job.state == JobState.DONE, job.error
    return job


def test_rollouts_train_a_model_whose_scores_reorder_the_queue():
    annotator = make_user()
    campaign = pocket_campaign(count=40, annotator=annotator, labelled=30)

    estimates = start_campaign_estimates(campaign, None, "math-shepherd", "pocket", rollouts=2, seed=0)
    run(estimates.shards.get().job)
    campaign = Campaign.objects.get(pk=campaign.pk)
    estimates.refresh_from_db()
    assert campaign.estimate_run_id == estimates.pk
    assert estimates.loaded_at and estimates.sandbox_level and estimates.cost["tokens"] > 0
    said = evidence.looks_at(campaign)
    about = evidence.solutions(campaign, estimates, np.unique(said["task"]))
    looks = evidence.judgements(said, about)
    assert len(looks) == 30 and (looks.machine > -2).all()
    assert evidence.rated_steps(looks, about).total > 30

    rare = {"warmup": 0.25, "weighting": "path", "class_weights": [2.0, 1.0], "given_up": "drop"}
    training = services.start_training(
        freeze(campaign, "mixed"), "mixed", configuration={"steps": 12, "batch_size": 8, **rare}
    )
    job = run(training.job)
    checkpoint = training.checkpoint
    assert job.result["sha256"] == checkpoint.sha256
    assert checkpoint.card["snapshot"]["sha256"] == training.snapshot.sha256
    assert (checkpoints.checkpoint_path(checkpoint) / "model.safetensors").is_file()
    said_by = {**checkpoint.card["label_rule"], **checkpoint.card["config"]}
    assert {name: said_by[name] for name in rare} == rare
    assert not (job.outputs / "checkpoint.state").exists()
    assert read_metrics(job.folder / "progress.jsonl")["loss"][-1][0] == 12

    scores = services.score_campaign(checkpoint, campaign)
    result = run(scores.job).result
    campaign = Campaign.objects.get(pk=campaign.pk)
    assert (campaign.score_run_id, campaign.ordering) == (scores.pk, "convincing_wrong")
    assert scores.step_scores.count() == sum(task.solution.position_count for task in campaign.tasks.all())
    assert result["before"] != result["after"] == services.top_of_queue(campaign)
    first = campaign.tasks.select_related("solution").get(pk=result["after"][0])
    assert first.solution.is_correct is False
    assert "wrong answer" in first.why

    # Of one solution nobody knows whether its answer is right: it is judged, and not as if the answer were wrong.
    labelled = campaign.tasks.filter(annotations__is_live=True).first().solution
    Solution.objects.filter(pk=labelled.pk).update(is_correct=None)
    evaluation = services.start_evaluation(checkpoint, campaign)
    run(evaluation.job)
    evaluation.refresh_from_db()
    assert evaluation.figures["count"] == 30
    assert 0 <= evaluation.figures["held_out"]["exact"] <= 1
    assert len(evaluation.figures["thresholds"]) > 1
    assert evaluation.figures["most_likely"]["with_answers"]["count"] == 29
    known, others = evaluation.figures["of_training_problems"], evaluation.figures["unseen"]["count"]
    assert known > 0 and known + others == 30
    outcomes = read_outcomes(evaluation.job.outputs / OUTCOMES).values()
    # The few others may not teach each other a threshold.
    is_measured = evaluation.figures["unseen"]["exact"] is not None
    assert len(outcomes) == 30 and sum(RULE in outcome.said for outcome in outcomes) == others * is_measured

    with pytest.raises(MisstepError, match="several graded solutions to choose among"):
        services.start_evaluation(checkpoint, campaign, kind="best-of-n")


def test_a_checkpoint_chooses_among_the_solutions_of_each_problem():
    campaign = make_campaign()
    for number in range(3):
        problem = make_problem(f"(({number} + 1) - (2 * 3)) =", str(number - 5))
        for right in (True, False):
            answer = problem.answer if right else "99"
            solution = make_solution(
                steps=["A = 1", f"So the answer is {answer}"],
                problem=problem,
                final_answer=answer,
                is_correct=right,
            )
            make_task(campaign, solution)
    single = make_solution(problem=make_problem("alone"), is_correct=True, final_answer="1")
    make_task(campaign, single)
    checkpoint = scored_by_hand(campaign)

    evaluation = services.start_evaluation(checkpoint, campaign, kind="best-of-n")
    run(evaluation.job)
    evaluation.refresh_from_db()
    assert (evaluation.figures["problems"], evaluation.figures["candidates"]) == (3, 6)
    found = {row["rule"]: row["accuracy"] for row in evaluation.figures["rows"] if row["n"] == 2}
    # The scores were given so that the right answer has the higher product and the lower minimum.
    assert (found["product"], found["minimum"], found["majority"], found["oracle"]) == (1.0, 0.0, 0.5, 1.0)
    assert choices(evaluation)[0].accuracy == 1.0
    assert [chart.title for chart in evaluation_charts(evaluation)] == ["Best of n", "Weighted vote among n"]


def test_the_problems_that_a_checkpoint_was_trained_on_are_no_choice_of_its(tmp_path):
    campaign = make_campaign()
    for number in range(2):
        problem = make_problem(f"{number} + 1 =", "1")
        for right in (True, False):
            make_task(campaign, make_solution(steps=["A = 1", "It is 1"], problem=problem, is_correct=right))
    checkpoint = scored_by_hand(campaign)
    know(checkpoint, "1 + 1 =")
    evaluation = services.start_evaluation(checkpoint, campaign, kind="best-of-n")
    run(evaluation.job)
    evaluation.refresh_from_db()
    assert (evaluation.figures["problems"], evaluation.figures["training_problems_left_out"]) == (1, 1)

    know(checkpoint, "1 + 1 =", "0 + 1 =")
    refused = services.start_evaluation(checkpoint, campaign, kind="best-of-n").job
    run_here(refused)
    refused.refresh_from_db()
    assert refused.state == JobState.FAILED and "trained on every problem" in refused.error


@pytest.mark.parametrize("kind", EvaluationKind.values)
def test_a_checkpoint_whose_folder_is_gone_is_not_measured_as_one_that_has_seen_nothing(kind: str):
    campaign = make_campaign()
    problem = make_problem("1 + 1 =", "2")
    for right in (True, False):
        task = make_task(campaign, make_solution(problem=problem, is_correct=right))
        make_annotation(task, make_user(), [1, 1] if right else [-1])
    checkpoint = scored_by_hand(campaign)
    shutil.rmtree(checkpoints.checkpoint_path(checkpoint))
    job = services.start_evaluation(checkpoint, campaign, kind=kind).job
    run_here(job)
    job.refresh_from_db()
    assert job.state == JobState.FAILED and "manifest.json is missing" in job.error


def test_what_came_into_the_campaign_after_the_scores_is_left_out_and_counted():
    campaign, person = make_campaign(), make_user()
    for number in range(4):
        problem = make_problem(f"{number} + 1 =", str(number + 1))
        for right in (True, False):
            task = make_task(campaign, make_solution(problem=problem, is_correct=right))
            make_annotation(task, person, [1, 1] if right else [-1])
    checkpoint = scored_by_hand(campaign)
    # The model's context ends before this solution's first step: that is its own failure, and counts.
    unread = task.solution
    StepScore.objects.filter(step__solution=unread).delete()
    for right in (True, False, True):
        task = make_task(campaign, make_solution(problem=problem, is_correct=right))
        make_annotation(task, person, [1, 1])

    evaluation = services.start_evaluation(checkpoint, campaign)
    run(evaluation.job)
    evaluation.refresh_from_db()
    figures = evaluation.figures
    assert (figures["count"], figures["missing"], figures["never_scored"]) == (8, 1, 3)

    evaluation = services.start_evaluation(checkpoint, campaign, kind="best-of-n")
    run(evaluation.job)
    evaluation.refresh_from_db()
    figures = evaluation.figures
    assert (figures["candidates"], figures["solutions_without_scores"], figures["never_scored"]) == (8, 1, 3)


def scored_by_hand(campaign) -> Checkpoint:
    """A checkpoint whose scores of the campaign are given: 0.5 and 0.9 where right, 0.6 and 0.6 elsewhere."""
    row = Snapshot.objects.create(
        name="s", campaign=campaign, labels="human", folder="0" * 64, sha256="0" * 64, manifest={}
    )
    training = services.start_training(row, "human")
    checkpoint = Checkpoint.objects.create(run=training, folder="1" * 64, sha256="1" * 64, card={})
    checkpoints.checkpoint_path(checkpoint).mkdir(parents=True)
    know(checkpoint, "no problem of these")
    given = list(Solution.objects.filter(tasks__campaign=campaign).values_list("pk", flat=True))
    job = make_job(verb="score", state=JobState.DONE, spec={"campaign": campaign.pk, "solutions": given})
    scores = ScoreRun.objects.create(name="given", job=job, loaded_at=timezone.now())
    checkpoint.score_runs.add(scores)
    for step in Step.objects.filter(solution__tasks__campaign=campaign):
        values = (0.5, 0.9) if step.solution.is_correct else (0.6, 0.6)
        StepScore.objects.create(run=scores, step=step, score=values[min(step.position, 1)])
    return checkpoint


def know(checkpoint: Checkpoint, *problems: str) -> None:
    """Make its folder tell that it was trained on these."""
    folder = checkpoints.checkpoint_path(checkpoint)
    text = "\n".join(map(problem_hash, problems))
    (folder / checkpoints.PROBLEMS).write_text(text)
    told = {checkpoints.PROBLEMS: hashlib.sha256(text.encode()).hexdigest()}
    (folder / checkpoints.MANIFEST).write_text(json.dumps(told))
