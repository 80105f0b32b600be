"""What a checkpoint is measured against: the labels that a snapshot would freeze, and gold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labelsite.annotations.models import Origin
from labelsite.autolabels.models import ScoreRun
from labelsite.campaigns.models import Campaign, Task, TaskKind, TaskState
from labelsite.comparison.models import Adjudication
from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.services import folder_of, freeze
from labelsite.training import evidence, services
from labelsite.training.models import Checkpoint
from ml.errors import MisstepError
from ml.evaluation.judged import joined
from ml.snapshot import problem_hash, read_snapshot
from ml.targets.consensus import CHECKER
from tests.factories import (
    make_annotation,
    make_campaign,
    make_job,
    make_machine,
    make_problem,
    make_scores,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    return make_campaign("Arithmetic")


def task_of(campaign: Campaign, **fields: object) -> Task:
    return make_task(campaign, make_solution(["a", "b", "c"]), **fields)


def test_people_whose_labels_are_excluded_have_no_vote(campaign: Campaign):
    task = task_of(campaign)
    make_annotation(task, make_user(), [1, -1])
    for _ in range(2):
        make_annotation(task, make_user(labels_excluded=True), [-1])
    assert evidence.first_mistakes(campaign) == {task.solution_id: 1}


@pytest.mark.parametrize("flag", ["is_quality_control_question", "is_initial_screening_question"])
def test_imports_that_tested_people_have_no_vote(campaign: Campaign, flag: str):
    make_annotation(task_of(campaign), make_machine(), [1, -1], origin=Origin.IMPORT, extra={flag: True})
    assert evidence.first_mistakes(campaign) == {}
    assert not evidence.has_labels(campaign)


def test_the_checker_has_no_vote_beside_people(campaign: Campaign):
    task, alone = task_of(campaign), task_of(campaign)
    checker = make_machine(CHECKER)
    make_annotation(task, checker, [-1], origin=Origin.IMPORT)
    make_annotation(alone, checker, [-1], origin=Origin.IMPORT)
    make_annotation(task, make_user(), [1, -1])
    assert evidence.first_mistakes(campaign) == {task.solution_id: 1, alone.solution_id: 0}


def test_a_person_who_wrote_a_step_says_that_the_solution_went_wrong_there(campaign: Campaign):
    task = task_of(campaign)
    own = task.solution.step_rows.create(
        position=1, option=1, text="my own b", source="human", is_chosen=False
    )
    make_annotation(task, make_user(), [1, 1], finish_reason="solution", extra={"written": [own.pk]})
    assert evidence.first_mistakes(campaign) == {task.solution_id: 1}


def test_a_problem_that_people_reported_as_bad_has_no_truth(campaign: Campaign):
    task = task_of(campaign)
    make_annotation(task, make_user(), [-1])
    make_annotation(task, make_user(), [], finish_reason="bad_problem", reason="no question")
    assert evidence.first_mistakes(campaign) == {}


def test_a_reviewers_several_positions_leave_the_one_that_most_people_named(campaign: Campaign):
    task = task_of(campaign)
    make_annotation(task, make_user(), [1, -1])
    Adjudication.objects.create(task=task, reviewer=make_user("reviewer"), positions=[0, 1])
    assert evidence.first_mistakes(campaign) == {task.solution_id: 1}


def test_gold_is_truth_whatever_people_say(campaign: Campaign):
    gold = task_of(campaign, kind=TaskKind.GOLD, gold=[2])
    screening = task_of(campaign, kind=TaskKind.SCREENING, gold=[-1])
    make_annotation(gold, make_user(), [-1])
    assert evidence.first_mistakes(campaign) == {gold.solution_id: 2, screening.solution_id: -1}
    assert evidence.has_labels(campaign)


def test_of_several_gold_positions_the_one_that_a_snapshot_states_is_the_truth(campaign: Campaign):
    truths = {}
    for gold, trajectory, truth in (
        ([-1, 2], [1, 1, -1], 2),
        ([-1, 2], [1, 1, 1], -1),
        ([0, 2], [1, 1, -1], 2),
    ):
        task = task_of(campaign, gold=gold)
        make_annotation(task, make_user(), trajectory)
        truths[task.solution_id] = truth
    assert evidence.first_mistakes(campaign) == truths


def test_of_several_gold_positions_that_nobody_named_the_earliest_mistake_is_the_truth(campaign: Campaign):
    tasks = {task_of(campaign, gold=gold): truth for gold, truth in (([-1, 2], 2), ([0, 2], 0), ([-1], -1))}
    make_annotation(next(iter(tasks)), make_user(), [-1])
    assert evidence.first_mistakes(campaign) == {task.solution_id: truth for task, truth in tasks.items()}


def test_the_truth_of_an_evaluation_is_what_a_snapshot_freezes(campaign: Campaign):
    for trajectories in ([[1, -1], [1, 1, 1]], [[1, 1, 1]], [[1, 1, -1], [-1], [1, 1, -1]]):
        task = task_of(campaign)
        for trajectory in trajectories:
            make_annotation(task, make_user(), trajectory)
    make_annotation(task_of(campaign, state=TaskState.SET_ASIDE), make_user(), [-1])
    decided = task_of(campaign, state=TaskState.SET_ASIDE)
    Adjudication.objects.create(task=decided, reviewer=make_user("reviewer"), positions=[-1, 1])
    task_of(campaign)
    frozen = read_snapshot(folder_of(freeze(campaign, "human")))
    truths = {int(row.id): -1 if row.first_mistake is None else row.first_mistake for row in frozen}
    assert len(truths) == 4
    assert evidence.first_mistakes(campaign) == truths


def scored_for(campaign: Campaign, checkpoint: Checkpoint, **fields: object) -> ScoreRun:
    """A loaded run of the checkpoint that was given the campaign's solutions, with scores of them all."""
    given = [task.solution for task in campaign.tasks.select_related("solution")]
    run = ScoreRun.objects.create(
        name="scores",
        job=make_job(spec={"campaign": campaign.pk, "solutions": [solution.pk for solution in given]}),
        loaded_at=timezone.now(),
        **fields,
    )
    for solution in given:
        make_scores(solution, [0.5] * solution.position_count, run)
    checkpoint.score_runs.add(run)
    return run


@pytest.fixture
def checkpoint(campaign: Campaign) -> Checkpoint:
    snapshot = Snapshot.objects.create(name="s", campaign=campaign, labels="human", manifest={})
    training = services.start_training(snapshot, "human")
    return Checkpoint.objects.create(run=training, folder="1" * 64, sha256="1" * 64, card={})


def test_scores_of_a_part_for_another_campaign_are_not_this_ones(campaign: Campaign, checkpoint: Checkpoint):
    tasks = [task_of(campaign) for _ in range(3)]
    for task in tasks:
        make_annotation(task, make_user(), [-1])
    other = make_campaign("Part")
    make_task(other, tasks[0].solution)
    scored_for(campaign, checkpoint)
    newest = scored_for(campaign, checkpoint)
    of_part = scored_for(other, checkpoint)
    assert services.start_evaluation(checkpoint, campaign).job.spec["score_run"] == newest.pk
    of_part.checkpoints.clear()
    make_annotation(other.tasks.get(), make_user(), [-1])
    with pytest.raises(MisstepError, match="no scores of Part, expected it to score it first"):
        services.start_evaluation(checkpoint, other)


def test_labels_of_which_none_was_scored_are_refused_in_words(
    campaign: Campaign, checkpoint: Checkpoint, tmp_path: Path
):
    task_of(campaign)
    run = scored_for(campaign, checkpoint)
    make_annotation(task_of(campaign), make_user(), [-1])
    with pytest.raises(MisstepError, match="none of the 1 labelled solutions of Arithmetic has been scored"):
        evidence.write_files(campaign, run, tmp_path)


def test_choices_of_which_none_was_scored_are_refused_in_words(
    campaign: Campaign, checkpoint: Checkpoint, tmp_path: Path
):
    first = task_of(campaign)
    run = scored_for(campaign, checkpoint)
    make_task(campaign, make_solution(problem=first.solution.problem))
    with pytest.raises(MisstepError, match="no problem of Arithmetic has several scored solutions"):
        evidence.write_pool(campaign, run, tmp_path)


def test_a_solution_in_which_a_choice_is_missing_is_measured_up_to_there(
    campaign: Campaign, checkpoint: Checkpoint, tmp_path: Path
):
    whole, broken = task_of(campaign), task_of(campaign)
    for task in (whole, broken):
        make_annotation(task, make_user(), [-1])
    run = scored_for(campaign, checkpoint)
    broken.solution.step_rows.filter(position=1).update(is_chosen=False)
    evidence.write_files(campaign, run, tmp_path)
    judged = joined(tmp_path / "solutions.jsonl", "processbench", tmp_path / "scores.jsonl")
    assert [row.scores for row in judged.rows] == [[0.5, 0.5, 0.5], [0.5]]


def test_gold_where_no_step_is_chosen_is_left_out_and_counted(
    campaign: Campaign, checkpoint: Checkpoint, tmp_path: Path
):
    whole, open_ended, bare = (task_of(campaign, gold=[gold]) for gold in (1, 2, -1))
    run = scored_for(campaign, checkpoint)
    open_ended.solution.step_rows.filter(position=2).update(is_chosen=False)
    bare.solution.step_rows.update(is_chosen=False)
    left_out = evidence.write_files(campaign, run, tmp_path)
    assert left_out == {"never_scored": 0, "behind_chosen_steps": 2}
    judged = joined(tmp_path / "solutions.jsonl", "processbench", tmp_path / "scores.jsonl")
    assert [(row.id, row.truth) for row in judged.rows] == [(str(whole.solution_id), 1)]
    whole.delete()
    with pytest.raises(MisstepError, match="no labelled solution of Arithmetic has its first mistake at"):
        evidence.write_files(campaign, run, tmp_path)


@pytest.mark.parametrize("known_text", ["", "What?"])
def test_no_query_reads_more_scores_than_of_a_few_solutions_or_more_of_a_solution_than_its_answer(
    campaign: Campaign, checkpoint: Checkpoint, tmp_path: Path, monkeypatch, known_text: str
):
    """A campaign may have millions of scored steps."""
    monkeypatch.setattr(evidence, "CHUNK", 2)
    problem = make_problem("Which?")
    tasks = [make_task(campaign, make_solution(["a", "b"], problem, is_correct=True)) for _ in range(5)]
    for number in range(2):
        make_task(campaign, make_solution([f"{number}"], make_problem("What?"), is_correct=True))
    run = scored_for(campaign, checkpoint)
    with CaptureQueriesContext(connection) as queries:
        left_out = evidence.write_pool(campaign, run, tmp_path, {problem_hash(known_text)})
    scores = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert [line["scores"] for line in scores[: len(tasks)]] == [[0.5, 0.5]] * 5
    assert left_out["training_problems_left_out"] == (1 if known_text else 0)
    read = [query["sql"] for query in queries]
    assert not any('"problems_solution"."extra"' in sql for sql in read)
    assert all('"solution_id" IN (' in sql for sql in read if '"autolabels_stepscore"' in sql)
