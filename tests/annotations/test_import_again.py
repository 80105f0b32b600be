"""A file that is imported again, into another campaign or with more labels than before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labelsite.annotations.importers import import_file
from labelsite.annotations.models import StepRating
from labelsite.campaigns.models import Assignment, Protocol, Task, TaskKind
from labelsite.campaigns.services import set_kind
from labelsite.problems.models import Solution
from tests.annotations.submissions import go_on_alone
from tests.campaigns.leases import claim_next
from tests.factories import make_campaign, make_task, make_user

pytestmark = pytest.mark.django_db

STEPS = ["One and one is two.", "Two and two is five.", "So the answer is five."]


def ratings_in(campaign: str) -> list[tuple[int, int, int | None]]:
    """Place and rating of every option that the file named."""
    rows = StepRating.objects.filter(
        annotation__task__campaign__name=campaign, annotation__annotator__is_machine=True
    )
    return sorted(rows.values_list("step__position", "step__option", "rating"))


def test_ratings_find_their_steps_after_somebody_wrote_a_step_between_them(tmp_path: Path) -> None:
    path = tmp_path / "file.jsonl"
    record = {"id": "s", "generator": "m", "problem": "p", "steps": STEPS, "label": 2}
    path.write_text(json.dumps({**record, "final_answer_correct": False}))
    annotator = make_user()
    campaign = make_campaign("First", members=[annotator], protocol=Protocol.EVERY_OPTION)
    import_file(path, "processbench", "First")
    lease = claim_next(campaign, annotator)
    assert isinstance(lease, Assignment)
    go_on_alone(lease)
    assert lease.task.solution.step_rows.filter(source="human", position=1, option=1).exists()
    import_file(path, "processbench", "Second")
    assert ratings_in("Second") == ratings_in("First") == [(0, 0, 1), (1, 0, 1), (2, 0, -1)]


def samples(folder: Path, **verdict: int | None) -> Path:
    path = folder / "samples.jsonl"
    wrong = {"steps": ["A = 2", "So 2"], "final_answer": "2", "is_correct": False, **verdict}
    path.write_text(json.dumps({"id": "p1", "problem": "1 =", "answer": "1", "solutions": [wrong]}) + "\n")
    return path


def test_a_checkers_verdict_on_what_was_there_before_is_gold_too_and_changes_nothing_else(
    tmp_path: Path,
) -> None:
    campaign = make_campaign("C", overlap=3)
    import_file(samples(tmp_path), "misstep", "C")
    elsewhere = make_task(make_campaign("Elsewhere"), Task.objects.get().solution)
    before = Task.objects.values().get(campaign=campaign)
    assert import_file(samples(tmp_path, first_mistake=0), "misstep", "C").new_annotations == 1
    after = Task.objects.values().get(campaign=campaign)
    assert (after["gold"], after["gold_source"]) == ([0], "checker")
    assert after == before | {"gold": [0], "gold_source": "checker"}
    elsewhere.refresh_from_db()
    assert elsewhere.gold is None


def test_a_checker_overrides_no_gold_that_people_gave_and_none_that_they_took_away(tmp_path: Path) -> None:
    import_file(samples(tmp_path), "misstep", "C")
    set_kind(Task.objects.get(), TaskKind.GOLD, [1])
    import_file(samples(tmp_path, first_mistake=0), "misstep", "C")
    assert Task.objects.values_list("gold", "gold_source").get() == ([1], "reviewer")
    set_kind(Task.objects.get(), TaskKind.WORK, None)
    import_file(samples(tmp_path, first_mistake=0), "misstep", "C")
    assert Task.objects.values_list("gold", "gold_source").get() == (None, "")


def phase_2(problem: str, answer: str) -> str:
    """A line of PRM800K that states both answers, and no verdict on them."""
    step = {"completions": [{"text": f"It is {answer}.", "rating": 1}], "chosen_completion": 0}
    question = {
        "problem": problem,
        "ground_truth_answer": "4",
        "pre_generated_steps": [f"It is {answer}."],
        "pre_generated_answer": answer,
    }
    label = {"steps": [step], "total_time": 1, "finish_reason": "solution"}
    return json.dumps({"question": question, "label": label}) + "\n"


def test_answers_that_nobody_had_graded_are_graded_when_their_file_comes_again(tmp_path: Path) -> None:
    path = tmp_path / "phase2.jsonl"
    path.write_text(phase_2("right", "4") + phase_2("wrong", "5") + phase_2("equal", "2+2"))
    assert import_file(path, "prm800k", "C").graded == 0
    # As where no grader was to be had: only equal texts are known to be equal answers.
    Solution.objects.exclude(final_answer="4").update(is_correct=None)
    dry = import_file(path, "prm800k", "C", dry_run=True)
    assert "would grade the answers of 2 that were there" in str(dry)
    again = import_file(path, "prm800k", "C")
    assert (again.graded, again.new_solutions, again.new_annotations, again.revised) == (2, 0, 0, 0)
    graded = dict(Solution.objects.values_list("problem__text", "is_correct"))
    assert graded == {"right": True, "wrong": False, "equal": True}
    assert "that were there" not in str(import_file(path, "prm800k", "C"))


def test_a_grade_that_is_known_stays_when_a_file_comes_again_without_one(tmp_path: Path) -> None:
    path = tmp_path / "phase2.jsonl"
    path.write_text(phase_2("wrong", "5"))
    import_file(path, "prm800k", "C")
    Solution.objects.update(is_correct=True)
    assert import_file(path, "prm800k", "C").graded == 0
    assert Solution.objects.get().is_correct is True


@pytest.mark.parametrize(
    ("format", "more"),
    [("records", {"answer": "2"}), ("records", {"problem": "1 + 1 ="}), ("annotated", {"annotations": []})],
)
def test_a_known_id_under_another_problem_or_format_is_new_and_told(
    tmp_path: Path, format: str, more: dict[str, Any]
) -> None:
    path, line = tmp_path / "file.jsonl", {"id": "s", "problem": "1 + 1?", "steps": ["a"]}
    path.write_text(json.dumps(line))
    assert import_file(path, "records", "C").doubled == 0
    assert import_file(path, "records", "C").doubled == 0
    path.write_text(json.dumps({**line, **more}) + "\n" + json.dumps({**line, "id": "t", **more}))
    dry = import_file(path, format, "C", dry_run=True)
    assert (dry.new_solutions, dry.doubled) == (2, 1)
    assert "under another problem, answer or format, too: 1 of the new tasks" in str(dry)
    assert import_file(path, format, "Elsewhere").doubled == 0
    assert import_file(path, format, "C").doubled == 1


def test_the_numbers_of_lines_without_an_id_double_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file.jsonl"
    for problem in ("1 + 1?", "2 + 2?"):
        path.write_text(json.dumps({"problem": problem, "steps": ["a"]}))
        assert import_file(path, "records", "C").doubled == 0
