"""What a person says of a solution, with steps of their own, is the same after export and import."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from labelsite.annotations import services
from labelsite.annotations.importers import import_file
from labelsite.annotations.models import Annotation
from labelsite.api.lines import _lines
from labelsite.campaigns.models import Assignment, Campaign, Protocol
from labelsite.problems.models import Solution
from labelsite.snapshots.annotation_lines import annotations_of
from labelsite.snapshots.services import folder_of, freeze
from ml.snapshot import read_snapshot
from tests.annotations.submissions import judgement
from tests.campaigns.leases import claim_next
from tests.factories import make_campaign, make_solution, make_task, make_user

# What an import knows of its own, or a file of this format has no place for.
NOT_CARRIED = {
    "id",
    "task",
    "annotator",
    "origin",
    "created_at",
    "kind",
    "exposure",
    "guideline_version",
    "solution",
}


def exported(campaign: Campaign, shape: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _lines(annotations_of(campaign), shape)]


def said(line: dict[str, Any]) -> dict[str, Any]:
    """One line of our own shape as far as it is the person's word, with the texts that it is about."""
    positions = line["solution"]["positions"]
    ratings = [
        (
            rating["position"],
            positions[rating["position"]]["options"][rating["option"]],
            rating["rating"],
            rating["flagged"] or None,
            rating["note"],
        )
        for rating in line["ratings"]
    ]
    rated = 1 + max((rating["position"] for rating in line["ratings"]), default=-1)
    chosen = [None if at["chosen"] is None else at["options"][at["chosen"]] for at in positions]
    kept = {key: value for key, value in line.items() if key not in NOT_CARRIED | {"ratings"}}
    return {**kept, "ratings": sorted(ratings, key=str), "chosen": chosen, "options": positions[:rated]}


def imported_back(campaign: Campaign) -> Campaign:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.jsonl"
        path.write_text("".join(_lines(annotations_of(campaign), "prm800k")), encoding="utf-8")
        import_file(path, "prm800k", "Back")
    return Campaign.objects.get(name="Back")


def assert_comes_back(campaign: Campaign) -> None:
    back = imported_back(campaign)
    assert [said(line) for line in exported(back, "misstep")] == [
        said(line) for line in exported(campaign, "misstep")
    ]
    assert exported(back, "prm800k") == exported(campaign, "prm800k")


def labelled(steps: Any, said: Any, protocol: str = Protocol.EVERY_OPTION) -> Campaign:
    """A campaign with one annotation of a solution of these steps; `said` makes the judgement of a task."""
    person = make_user()
    campaign = make_campaign(members=[person], protocol=protocol)
    make_task(campaign, steps if isinstance(steps, Solution) else make_solution(steps))
    lease = claim_next(campaign, person)
    assert isinstance(lease, Assignment)
    services.submit(lease, str(lease.token), uuid4(), said(lease.task))
    return campaign


@pytest.mark.django_db
def test_a_correct_step_of_ones_own_is_never_what_was_found_wrong() -> None:
    def words(task: Any) -> dict[str, Any]:
        return judgement(task, 1, -1, alternatives=(-1,), written=["MY CORRECT STEP"])

    campaign = labelled(["fine", ["WRONG", "ALSO WRONG"], "end"], words)
    (line,) = exported(campaign, "misstep")
    at = line["solution"]["positions"][1]
    assert line["trajectory"] == [1, -1] and at["options"][at["chosen"]] == "WRONG"
    assert at["options"][2] == "MY CORRECT STEP"
    back = imported_back(campaign)
    (again,) = Annotation.objects.filter(task__campaign=back)
    assert (again.trajectory, again.broken_rule, again.first_mistake) == ([1, -1], "", 1)
    assert_comes_back(campaign)


@pytest.mark.django_db
def test_the_wrong_step_is_told_also_where_it_stands_behind_its_alternatives() -> None:
    solution = make_solution(["fine", ["another", "WRONG"], "end"])
    solution.step_rows.filter(text="another").update(is_chosen=False)
    solution.step_rows.filter(text="WRONG").update(is_chosen=True)

    def words(task: Any) -> dict[str, Any]:
        return judgement(task, 1, -1, alternatives=(0,))

    assert_comes_back(labelled(solution, words))


@pytest.mark.django_db
def test_who_went_on_alone_still_says_where_the_solution_was_left() -> None:
    def words(task: Any) -> dict[str, Any]:
        given = judgement(task, 1, -1, alternatives=(-1,), written=["mine", "and the end"])
        return {**given, "finish_reason": "solution"}

    campaign = labelled(["fine", ["WRONG", "ALSO WRONG"], "worse", "end"], words)
    back = imported_back(campaign)
    (again,) = Annotation.objects.filter(task__campaign=back)
    assert (again.trajectory, again.broken_rule, again.first_mistake) == ([1, 1, 1], "", 1)
    assert_comes_back(campaign)
    # Where it was left is a step of another solution than the one that came back.
    (here,), (there,) = (read_snapshot(folder_of(freeze(each, "human"))) for each in (campaign, back))
    assert (here.steps[1], here.labels, here.first_mistake) == ("WRONG", [1.0, 0.0, None, None], 1)
    assert (there.steps[1], there.labels, there.first_mistake) == ("mine", [1.0, 1.0, 1.0], None)


@pytest.mark.django_db
@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize("noted", [1, 2, 3])
def test_a_note_on_a_step_that_nobody_rated_comes_back_and_is_no_rating(protocol: str, noted: int) -> None:
    def words(task: Any) -> dict[str, Any]:
        step = task.solution.step_rows.get(position=noted, is_chosen=True)
        note = {"step": step.pk, "rating": None, "note": "Why?"}
        if protocol == Protocol.INDEX_ONLY:
            return {"finish_reason": "found_error", "first_mistake": 1, "ratings": [note]}
        given = judgement(task, *[1] * noted) if protocol == Protocol.FIRST_MISTAKE else {"ratings": []}
        return {
            **given,
            "ratings": [*given["ratings"], note],
            "finish_reason": "give_up",
            "reason": "stuck",
        }

    campaign = labelled(["fine", ["WRONG", "ALSO WRONG"], "worse", "end"], words, protocol)
    (look,) = Annotation.objects.all()
    assert [(row.step.position, row.note) for row in look.ratings.exclude(note="")] == [(noted, "Why?")]
    back = imported_back(campaign)
    (again,) = Annotation.objects.filter(task__campaign=back)
    assert (again.trajectory, again.broken_rule, again.first_mistake) == (
        look.trajectory,
        "",
        look.first_mistake,
    )
    assert_comes_back(campaign)


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8)
spoken = texts.map(str.strip).filter(bool)


@st.composite
def looks(draw: st.DrawFn) -> tuple[list[list[str]], dict[str, Any]]:
    """A solution's options, each text once, and what somebody says of it: ratings by place, own steps, an end."""
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    pool = iter(draw(st.lists(spoken, min_size=sum(shape) + 3, max_size=sum(shape) + 3, unique=True)))
    options = [[next(pool) for _ in range(count)] for count in shape]
    end = draw(st.sampled_from(["found_error", "alone", "solution", "give_up", "bad_problem"]))
    last = draw(st.integers(0, len(shape) - 1))
    written = [next(pool) for _ in range(draw(st.integers(1 if end == "alone" else 0, 3)))]
    wrong = end in ("found_error", "alone")
    read = last + 1 if wrong else len(shape) if end == "solution" else last
    fine = st.sampled_from([0, 1])
    any_rating = st.sampled_from([-1, 0, 1])
    has_written = bool(written) and wrong
    given = {
        (place, option): (
            -1 if wrong and place == last and (option == 0 or has_written)
            else draw(fine if option == 0 else any_rating)
        )
        for place in range(read)
        for option in range(shape[place])
    }  # fmt: skip
    return options, {
        "given": given,
        "notes": {place: draw(st.just("") | spoken) for place in given},
        "finish_reason": "solution" if end == "alone" else end,
        "written": written if wrong else [],
        "reason": draw(spoken) if end in ("give_up", "bad_problem") else draw(st.just("") | spoken),
        "total_time_ms": draw(st.integers(0, 10**6)),
    }


class AnyLook(TestCase):
    @given(looks())
    @settings(max_examples=30, deadline=None)
    def test_any_look_is_the_same_after_export_and_import_in_both_shapes(
        self, look: tuple[list[list[str]], dict[str, Any]]
    ) -> None:
        options, words = look

        def judged(task: Any) -> dict[str, Any]:
            steps = {(step.position, step.option): step.pk for step in task.solution.step_rows.all()}
            ratings = [
                {"step": steps[place], "rating": rating, "note": words["notes"][place]}
                for place, rating in words["given"].items()
            ]
            rest = {key: value for key, value in words.items() if key not in ("given", "notes")}
            return {**rest, "ratings": ratings}

        assert_comes_back(labelled(options, judged))
