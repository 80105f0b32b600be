"""Freezing: what gets in, what stays out and is counted, and that the same data gives the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation, Origin
from labelsite.campaigns.models import Campaign, Task, TaskKind, TaskState
from labelsite.comparison.models import Adjudication
from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.services import folder_of, freeze, snapshots_folder
from ml.errors import MisstepError
from ml.snapshot import SnapshotRow, read_snapshot
from ml.targets import LabelRule
from tests.factories import (
    make_annotation,
    make_campaign,
    make_estimate_run,
    make_estimates,
    make_machine,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    return make_campaign("Arithmetic")


def rows_of(snapshot: Snapshot) -> list[SnapshotRow]:
    return list(read_snapshot(folder_of(snapshot)))


def test_a_human_snapshot_holds_ratings_and_the_labels_that_the_rule_made(campaign: Campaign):
    task = make_task(campaign, make_solution(["a", "b", "c"]))
    make_annotation(task, make_user(), [1, 0, -1])
    snapshot = freeze(campaign, "human")
    (row,) = rows_of(snapshot)
    assert row.id == str(task.solution_id)
    assert row.steps == ["a", "b", "c"]
    assert row.human is not None and row.human["ratings"] == [1, 0, -1]
    assert (row.labels, row.first_mistake) == ([1.0, 1.0, 0.0], 2)
    assert row.label_source == ["human"] * 3
    assert row.automatic is None
    assert snapshot.manifest["campaign"] == "Arithmetic"
    assert snapshot.manifest["counts"]["labels_by_annotator"] == 1


def test_neutral_is_what_the_rule_says(campaign: Campaign):
    make_annotation(make_task(campaign), make_user(), [1, 0])
    snapshot = freeze(campaign, "human", LabelRule(neutral="drop"))
    assert rows_of(snapshot)[0].labels == [1.0, None]
    assert snapshot.manifest["rule"]["neutral"] == "drop"


def test_a_rule_is_recorded_without_the_parts_that_changed_nothing(campaign: Campaign):
    make_annotation(make_task(campaign), make_user(), [1, 0])
    rule = freeze(campaign, "human", LabelRule(neutral="drop", mixture="consensus")).manifest["rule"]
    assert (rule["neutral"], rule["mixture"]) == ("drop", "people_override")


def test_an_automatic_snapshot_holds_estimates_and_no_persons_word(campaign: Campaign):
    task = make_task(campaign)
    make_annotation(task, make_user(), [-1])
    campaign.estimate_run = make_estimates(task.solution, [0.75, 0.0], first_mistake=1)
    campaign.save()
    (row,) = rows_of(freeze(campaign, "automatic"))
    assert row.human is None
    assert row.automatic is not None and row.automatic["visits"] == [16, 16]
    assert row.automatic["method"] == "math-shepherd"
    assert (row.labels, row.first_mistake) == ([1.0, 0.0], 1)
    assert row.label_source == ["automatic", "automatic"]


def test_a_mixed_snapshot_takes_people_where_they_spoke_and_rollouts_elsewhere(campaign: Campaign):
    seen, unseen, nobody = (make_task(campaign) for _ in range(3))
    make_annotation(seen, make_user(), [-1])
    campaign.estimate_run = make_estimates(seen.solution, [1.0, 1.0])
    make_estimates(unseen.solution, [1.0, 0.0], run=campaign.estimate_run)
    campaign.save()
    snapshot = freeze(campaign, "mixed")
    rows = {row.id: row for row in rows_of(snapshot)}
    assert rows[str(seen.solution_id)].labels == [0.0, None]
    assert rows[str(unseen.solution_id)].label_source == ["automatic", "automatic"]
    assert str(nobody.solution_id) not in rows
    assert snapshot.manifest["filters"] == {"solutions_without_evidence": 1}


def test_a_run_that_was_never_loaded_is_not_read(campaign: Campaign):
    task = make_task(campaign)
    campaign.estimate_run = make_estimates(task.solution, [1.0, 1.0], run=make_estimate_run(loaded_at=None))
    campaign.save()
    with pytest.raises(MisstepError, match="no loaded estimates"):
        freeze(campaign, "automatic")


def test_without_a_run_of_its_own_the_campaign_uses_the_latest_loaded_one(campaign: Campaign):
    task = make_task(campaign)
    make_estimates(task.solution, [0.0, 0.0])
    make_estimates(task.solution, [1.0, 0.0])
    assert rows_of(freeze(campaign, "automatic"))[0].labels == [1.0, 0.0]


def test_what_must_not_be_trained_on_stays_out_and_is_counted(campaign: Campaign):
    person = make_user()
    make_annotation(make_task(campaign), person)
    make_annotation(make_task(campaign, kind=TaskKind.GOLD, gold=[0]), person)
    make_annotation(make_task(campaign, kind=TaskKind.SCREENING, gold=[0]), person)
    make_annotation(make_task(campaign, state=TaskState.SET_ASIDE), person)
    make_annotation(make_task(campaign), make_user(labels_excluded=True))
    make_annotation(make_task(campaign), person, [], finish_reason="give_up", reason="stuck")
    make_annotation(make_task(campaign), person, [], finish_reason="bad_problem", reason="no question")
    machine = make_machine()
    make_annotation(
        make_task(campaign), machine, [1], origin=Origin.IMPORT, broken_rule="solution_not_finished"
    )
    make_annotation(make_task(campaign), machine, extra={"is_initial_screening_question": True})
    snapshot = freeze(campaign, "human")
    assert snapshot.manifest["counts"]["rows"] == 1
    assert snapshot.manifest["filters"] == {
        "annotations_for_quality_control": 1,
        "annotations_of_excluded_labelers": 1,
        "annotations_that_break_a_rule": 1,
        "annotations_unfinished": 1,
        "bad_problems": 1,
        "gold_tasks": 1,
        "screening_tasks": 1,
        "set_aside_tasks": 1,
        "solutions_without_evidence": 5,
    }


def test_only_the_live_revision_counts(campaign: Campaign):
    task, person = make_task(campaign, overlap=2), make_user()
    first = make_annotation(task, person, [-1])
    type(first).objects.filter(pk=first.pk).update(is_live=False)
    type(first).objects.create(
        task=task, annotator=person, revision=2, trajectory=[1, 1], finish_reason="solution"
    )
    assert rows_of(freeze(campaign, "human"))[0].first_mistake is None


def test_an_adjudicated_solution_that_was_set_aside_is_back_in(campaign: Campaign):
    task = make_task(campaign, state=TaskState.SET_ASIDE)
    Adjudication.objects.create(task=task, reviewer=make_user("reviewer"), positions=[1])
    (row,) = rows_of(freeze(campaign, "human"))
    assert row.first_mistake == 1


def test_alternatives_go_into_options_and_not_onto_the_trajectory(campaign: Campaign):
    solution = make_solution(["a", ["b", "b better", "b unrated"]])
    task = make_task(campaign, solution)
    annotation = make_annotation(task, make_user(), [1, -1])
    better = solution.step_rows.get(position=1, option=1)
    annotation.ratings.create(step=better, rating=1)
    (row,) = rows_of(freeze(campaign, "human"))
    assert row.steps == ["a", "b"]
    assert row.options == [{"position": 1, "text": "b better", "rating": 1, "q_value": None}]


def test_the_same_data_gives_the_same_bytes_under_any_name(campaign: Campaign):
    for _ in range(5):
        make_annotation(make_task(campaign), make_user(), [1, -1])
    first, second = freeze(campaign, "human", name="One"), freeze(campaign, "human", name="Two")
    assert first.sha256 == second.sha256
    assert first.folder == second.folder
    make_annotation(make_task(campaign), make_user(), [1, 1])
    assert freeze(campaign, "human").sha256 != first.sha256


def test_a_second_snapshot_of_the_same_name_gets_a_number(campaign: Campaign):
    make_annotation(make_task(campaign), make_user())
    assert [freeze(campaign, "human", name="N").name for _ in range(3)] == ["N", "N (2)", "N (3)"]


def test_nothing_to_freeze_is_said_and_leaves_nothing(campaign: Campaign):
    make_annotation(make_task(campaign, kind=TaskKind.GOLD, gold=[0]), make_user())
    with pytest.raises(
        MisstepError, match=r"nothing to freeze: people.s labels are .* \(left out: gold items: 1"
    ):
        freeze(campaign, "human")
    assert not Snapshot.objects.exists()
    assert list(snapshots_folder().iterdir()) == []


def test_fusion_gives_posteriors_of_all_witnesses(campaign: Campaign):
    people = [make_user() for _ in range(3)]
    run = make_estimate_run()
    for number in range(6):
        task = make_task(campaign, overlap=3)
        for person in people:
            make_annotation(task, person, [1, -1] if number % 2 else [1, 1])
        make_estimates(task.solution, [1.0, 0.0 if number % 2 else 1.0], run=run)
    campaign.estimate_run = run
    campaign.save()
    rows = rows_of(freeze(campaign, "mixed", LabelRule(mixture="fusion")))
    assert [row.first_mistake for row in rows] == [None, 1] * 3
    assert all(row.human is not None and len(row.human["posterior"]) == 2 for row in rows)
    assert {source for row in rows for source in row.label_source} == {"fused"}


def test_freezing_takes_a_fixed_number_of_queries(campaign: Campaign, django_assert_max_num_queries):
    for _ in range(20):
        make_annotation(make_task(campaign), make_user())
    with django_assert_max_num_queries(18):
        freeze(campaign, "human")


def test_export_writes_a_folder_that_reads_back(campaign: Campaign, tmp_path: Path):
    make_annotation(make_task(campaign), make_user(), [1, -1])
    out = tmp_path / "out"
    call_command("export_snapshot", campaign="Arithmetic", labels="human", out=str(out))
    assert [row.first_mistake for row in read_snapshot(out)] == [1]
    with pytest.raises(CommandError, match="already holds files"):
        call_command("export_snapshot", campaign="Arithmetic", labels="human", out=str(out))
    with pytest.raises(CommandError, match="no campaign 'Algebra', expected one of 'Arithmetic'"):
        call_command("export_snapshot", campaign="Algebra", labels="human", out=str(tmp_path / "other"))
    with pytest.raises(CommandError, match="target, which would change nothing in labels human"):
        call_command(
            "export_snapshot",
            campaign="Arithmetic",
            labels="human",
            rule={"target": "soft"},
            out=str(tmp_path / "other"),
        )


def test_an_export_wants_a_folder_with_a_name_before_anything_is_frozen(
    campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    make_annotation(make_task(campaign), make_user())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match=r"--out \., expected a folder's name"):
        call_command("export_snapshot", campaign="Arithmetic", labels="human", out=".")
    assert not Snapshot.objects.exists()


def make_written(task: Task, person: User, rated: list[int], written: dict[int, str]) -> Annotation:
    """What the annotator's page leaves when somebody went on through steps of their own, by position."""
    steps = [
        task.solution.step_rows.create(
            position=position,
            option=task.solution.step_rows.filter(position=position).count(),
            text=text,
            source="human",
            is_chosen=False,
        )
        for position, text in written.items()
    ]
    annotation = make_annotation(
        task,
        person,
        [*rated[:-1], *(1 for _ in written)],
        rated=rated,
        finish_reason="solution",
        extra={"written": [step.pk for step in steps]},
    )
    for step in steps:
        annotation.ratings.create(step=step, rating=None)
    return annotation


def test_a_step_that_a_person_wrote_says_that_the_solutions_own_was_wrong(campaign: Campaign):
    task = make_task(campaign, make_solution(["a", "b"]), overlap=2)
    first = make_written(task, make_user(), [1, -1], {1: "my own b", 2: "my own c"})
    assert first.trajectory == [1, 1, 1]
    (row,) = rows_of(freeze(campaign, "human"))
    assert row.steps == ["a", "b"]
    assert row.human is not None and row.human["ratings"] == [1, -1]
    assert {"position": 1, "text": "my own b", "rating": 1, "q_value": None} in row.options


def test_a_written_step_stands_in_its_authors_prm800k_line_and_in_no_other(campaign: Campaign):
    task = make_task(campaign, make_solution(["a", "b"]), overlap=3)
    for number in range(2):
        make_written(task, make_user(), [1, -1], {1: f"own {number}"})
    make_annotation(task, make_user(username="reader"), [1, 1])
    snapshot = freeze(campaign, "human")
    written = (folder_of(snapshot) / "annotations.jsonl").read_text().splitlines()
    last_steps = [json.loads(line)["label"]["steps"][-1] for line in written]
    humans = [step["human_completion"] and step["human_completion"]["text"] for step in last_steps]
    assert humans == ["own 0", "own 1", None]
    assert [step["chosen_completion"] for step in last_steps] == [None, None, 0]
    assert [len(step["completions"]) for step in last_steps] == [1, 1, 1]
