"""PRM800K: nothing is lost on the way in and out, also not through the columns of a database."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml import formats
from ml.evaluation.truths import truths
from ml.formats import label_rules, prm800k
from ml.formats.lines import Unreadable
from ml.records import (
    Annotation,
    FinishReason,
    LabelledSolution,
    Option,
    Position,
    Problem,
    Solution,
    StepRating,
)
from tests.data import real_data


def parse(record: dict[str, Any]) -> LabelledSolution:
    (found,) = prm800k.parse(record, 1)
    return found


def through_columns(found: LabelledSolution) -> LabelledSolution:
    """What comes back when each part was stored in a column, and another file knew more of the problem."""
    solution, annotation = found.solution, found.annotation
    assert annotation is not None
    extras = json.loads(json.dumps([dict(solution.extra), dict(annotation.extra)], sort_keys=True))
    problem = replace(
        solution.problem, id="99", reference_solution=solution.problem.reference_solution or "known"
    )
    return LabelledSolution(
        line=1,
        solution=replace(solution, id="99", problem=problem, extra=extras[0]),
        annotation=replace(annotation, created_at=None, labeler="someone", extra=extras[1]),
    )


@pytest.mark.parametrize(("name", "count"), [("samples_raw", 6), ("phase1_train", 942)])
def test_real_lines_come_back_field_for_field(name, count):
    path = real_data(f"prm800k/{name}.jsonl")
    assert formats.guess(path) == "prm800k"
    lines = path.read_text(encoding="utf-8").splitlines()
    read = list(formats.read(path, "prm800k"))
    assert len(read) == len(lines) == count
    for found, line in zip(read, lines, strict=True):
        record = json.loads(line)
        assert prm800k.write_record(found) == record
        assert prm800k.write_record(through_columns(found)) == record
        assert found.broken_rule == ""


def test_real_lines_keep_alternatives_human_steps_and_unrated_options():
    read = list(formats.read(real_data("prm800k/phase1_train.jsonl"), "prm800k"))
    ratings = [rating for found in read if found.annotation for rating in found.annotation.ratings]
    options = [
        option for found in read for position in found.solution.positions for option in position.options
    ]
    assert sum(rating.rating is not None for rating in ratings) == 48_672
    assert sum(rating.rating is None and rating.flagged is True for rating in ratings) == 822
    assert sum(option.source == "human" for option in options) == 2_341
    assert len(options) == 48_672 + 822 + 2_341


def test_no_text_is_held_twice():
    for found in formats.read(real_data("prm800k/samples_raw.jsonl"), "prm800k"):
        assert found.annotation is not None
        extras = json.dumps([dict(found.solution.extra), dict(found.annotation.extra)])
        for position in found.solution.positions:
            for option in position.options:
                assert len(option.text) < 20 or json.dumps(option.text)[1:-1] not in extras


def completion(text: str, rating: int | None, flagged: bool | None = False) -> dict[str, Any]:
    return {"text": text, "rating": rating, "flagged": flagged}


def step(
    completions: list[dict[str, Any]] | None, chosen: int | None, human: str | None = None
) -> dict[str, Any]:
    written = None if human is None else {"text": human, "rating": None, "source": "human", "flagged": False}
    return {"completions": completions, "human_completion": written, "chosen_completion": chosen}


def record(steps: list[dict[str, Any]], finish_reason: str, **question: object) -> dict[str, Any]:
    return {
        "labeler": "uuid",
        "timestamp": "2022-07-30T23:23:32.118856",
        "generation": None,
        "is_quality_control_question": False,
        "is_initial_screening_question": False,
        "question": {"problem": "p", "ground_truth_answer": "29", **question},
        "label": {"steps": steps, "total_time": 1000, "finish_reason": finish_reason},
    }


def test_a_found_error_goes_through_its_first_option_and_on_through_the_solution_s_unread_steps():
    steps = [
        step([completion("one", 1, None)], 0),
        step([completion("two", -1, None), completion("other", 1)], None),
    ]
    line = record(
        steps, "found_error", pre_generated_steps=["one", "two", "three"], pre_generated_answer="30"
    )
    found = parse(line)
    assert found.solution.steps == ("one", "two", "three")
    assert [position.chosen for position in found.solution.positions] == [0, 0, 0]
    assert found.annotation is not None
    assert found.annotation.first_mistake == 1
    assert (found.solution.final_answer, found.broken_rule) == ("30", "")
    assert prm800k.write_record(found) == line


def test_a_human_step_is_chosen_counts_as_right_and_has_no_rating():
    steps = [
        step([completion("bad", -1), completion("worse", -1)], None, "good"),
        step([completion("end", 1)], 0),
    ]
    found = parse(record(steps, "solution"))
    first = found.solution.positions[0]
    assert (first.chosen, first.options[2]) == (2, Option("good", source="human"))
    assert found.annotation is not None
    assert [(rating.option, rating.rating) for rating in found.annotation.ratings] == [
        (0, -1),
        (1, -1),
        (0, 1),
    ]
    assert label_rules.trajectory_ratings(found.solution, found.annotation) == [1, 1]
    assert found.broken_rule == ""


def test_who_went_on_alone_made_another_solution_with_an_answer_and_no_mistake_of_its_own():
    steps = [
        step([completion("one", 1)], 0),
        step([completion("two", -1)], None, "better"),
        step(None, None, "So 29.\n\n# Answer\n\n29"),
    ]
    model = {"pre_generated_steps": ["one", "two", "# Answer\n\n30"], "pre_generated_answer": "30"}
    found = parse(record(steps, "solution", **model))
    assert found.solution.steps == ("one", "better", "So 29.\n\n# Answer\n\n29")
    assert (found.solution.final_answer, found.solution.is_correct) == ("29", True)
    # Where the model's solution was left stays known; of the steps that stand here none is wrong.
    assert found.annotation is not None and found.annotation.first_mistake == 1
    assert [truth for _, truth in truths([found])] == [None]
    assert prm800k.write_record(through_columns(found)) == record(steps, "solution", **model)


def test_the_empty_last_step_of_a_give_up_is_no_position_and_still_comes_back():
    line = record([step([completion("one", 1)], 0), step(None, None)], "give_up")
    found = parse(line)
    assert len(found.solution.positions) == 1
    assert found.annotation is not None and found.annotation.reason == prm800k.NO_REASON
    assert prm800k.write_record(through_columns(found)) == line


def test_a_mistake_on_the_way_to_a_solution_is_kept_and_named():
    steps = [step([completion("one", -1)], 0), step([completion("two", 1)], 0)]
    assert parse(record(steps, "solution")).broken_rule == "rated_after_the_first_mistake"
    assert parse(record(steps[:1], "solution")).broken_rule == "solution_with_mistake"


def test_equal_answers_are_correct_and_unequal_texts_are_not_judged():
    steps = [step([completion("so\n\n# Answer\n\n29", 1)], 0)]
    assert parse(record(steps, "solution")).solution.is_correct is True
    assert parse(record(steps, "solution", ground_truth_answer="29.0")).solution.is_correct is None


@pytest.mark.parametrize(
    "steps",
    [
        [step(None, None), step([completion("one", 1)], 0)],
        [step([completion("one", 2)], 0)],
        [step([completion("one", 1)], 1)],
        [step([completion("", 1)], 0)],
        [step([completion("one", 1, 0)], 0)],  # type: ignore[arg-type]
        ["one"],
        [{"completions": "one"}],
        [{"completions": [], "human_completion": "text"}],
    ],
)
def test_steps_that_mean_nothing_are_refused(steps):
    with pytest.raises(Unreadable):
        parse(record(steps, "solution"))


@pytest.mark.parametrize(
    "change", [{"total_time": -1}, {"total_time": "1"}, {"finish_reason": "tired"}, {"steps": None}]
)
def test_labels_that_mean_nothing_are_refused(change):
    line = record([step([completion("one", 1)], 0)], "solution")
    line["label"].update(change)
    with pytest.raises(Unreadable):
        parse(line)


def test_an_annotation_made_here_is_written_as_a_phase_2_line_that_reads_back_the_same():
    positions = (
        Position((Option("one"),)),
        Position((Option("two"), Option("other"), Option("third"))),
        Position((Option("three"),)),
    )
    solution = Solution("s", Problem("p", "what?", "4", "reference"), positions, final_answer="5")
    ratings = (
        StepRating(0, 0, 0),
        StepRating(1, 0, -1),
        StepRating(1, 1, 1, False),
        StepRating(1, 2, None, True),
    )
    annotation = Annotation(
        "ann", FinishReason.FOUND_ERROR, ratings, 1, total_time_ms=5, created_at="2026-01-01"
    )
    written = prm800k.write_record(LabelledSolution(0, solution, annotation))
    assert written["label"]["steps"][1]["chosen_completion"] is None
    assert written["question"]["pre_generated_steps"] == ["one", "two", "three"]
    back = parse(json.loads(json.dumps(written)))
    assert back.solution.positions == positions
    assert back.annotation is not None
    assert back.annotation.ratings == ratings
    assert prm800k.write_record(back) == written


def test_a_reason_given_here_survives():
    line = record([step([completion("one", 1)], 0)], "give_up")
    line["label"]["reason"] = "too long"
    found = parse(line)
    assert found.annotation is not None and found.annotation.reason == "too long"
    assert prm800k.write_record(found) == line


words = st.text("ab x\n é\\$", min_size=1, max_size=6).filter(lambda text: text.strip() != "")
flags = st.sampled_from([True, False, None])
completions = st.builds(completion, words, st.sampled_from([-1, 0, 1, None]), flags)
unknown = st.dictionaries(
    st.sampled_from(["note", "tags"]), st.one_of(st.none(), words, st.lists(st.integers()))
)


@st.composite
def written_steps(draw: st.DrawFn) -> dict[str, Any]:
    options = draw(st.lists(completions, min_size=1, max_size=3))
    human = draw(st.none() | words)
    drawn = step(options, draw(st.none() | st.integers(0, len(options) - 1)), human)
    if human is not None:
        drawn["human_completion"] |= draw(
            st.fixed_dictionaries({}, optional={"corrected_rating": st.sampled_from([-1, 0, 1, None])})
        )
    for item in options:
        item.update(draw(unknown))
        if draw(st.booleans()):
            del item["flagged"]
    return drawn


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    steps = draw(st.lists(written_steps(), max_size=4))
    if draw(st.booleans()):
        steps.append(step(draw(st.sampled_from([None, []])), None))
    drawn = record(steps, draw(st.sampled_from([str(reason) for reason in FinishReason])))
    first_options = [item["completions"][0]["text"] for item in steps if item["completions"]]
    pre_generated = st.just(first_options) | st.just([*first_options, "rest"]) | st.lists(words, max_size=3)
    optional = {
        "pre_generated_steps": pre_generated,
        "pre_generated_answer": st.none() | words,
        "pre_generated_verifier_score": st.floats(0, 1),
        "ground_truth_solution": st.none() | words,
    }
    drawn["question"].update(draw(st.fixed_dictionaries({}, optional=optional)))
    if draw(st.booleans()):
        del drawn["question"]["ground_truth_answer"]
    for part in (drawn, drawn["label"], drawn["question"]):
        part.update(draw(unknown))
    for key in draw(st.sets(st.sampled_from(prm800k.NAMED_KEYS))):
        del drawn[key]
    return drawn


@settings(max_examples=200, deadline=None)
@given(records())
def test_any_line_of_the_format_comes_back_field_for_field(line):
    found = parse(json.loads(json.dumps(line)))
    assert prm800k.write_record(found) == line
    assert prm800k.write_record(through_columns(found)) == line
