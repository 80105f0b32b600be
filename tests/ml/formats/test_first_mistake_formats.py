"""The formats that know where a solution's first mistake is: real files whole, and single lines by hand."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from ml import formats
from ml.errors import BadRecord
from ml.formats import big_bench_mistake, gsm8k_solutions, label_rules, misstep, mr_gsm8k, processbench
from ml.formats.lines import Unreadable
from ml.given_answers import GivenAnswers
from ml.records import FinishReason, LabelledSolution
from tests.data import real_data

FILES = {
    "processbench/gsm8k.jsonl": ("processbench", 204, {"found_error": 115, "solution": 89}),
    "processbench/math.jsonl": ("processbench", 489, {"found_error": 291, "solution": 198}),
    "big_bench_mistake/dyck_languages.jsonl": (
        "big_bench_mistake",
        488,
        {"found_error": 314, "solution": 174},
    ),
    "big_bench_mistake/logical_deduction.jsonl": (
        "big_bench_mistake",
        154,
        {"found_error": 149, "solution": 5},
    ),
    "big_bench_mistake/multistep_arithmetic.jsonl": (
        "big_bench_mistake",
        152,
        {"found_error": 121, "solution": 31},
    ),
    "big_bench_mistake/tracking_shuffled_objects.jsonl": (
        "big_bench_mistake",
        151,
        {"found_error": 131, "solution": 20},
    ),
    "big_bench_mistake/word_sorting.jsonl": ("big_bench_mistake", 142, {"found_error": 122, "solution": 20}),
    "mr_gsm8k/mr_gsm8k.jsonl": ("mr_gsm8k", 311, {"found_error": 311}),
    "gsm8k/example_model_solutions.jsonl": ("gsm8k_solutions", 4 * 1319, {}),
}


@pytest.mark.parametrize("name", FILES)
def test_every_real_file_reads_whole_and_breaks_no_label_rule(name):
    format, count, finish_reasons = FILES[name]
    path = real_data(name)
    assert formats.guess(path) == format
    read = list(formats.read(path, format))
    assert len(read) == count
    reasons = Counter(str(found.annotation.finish_reason) for found in read if found.annotation)
    assert reasons == finish_reasons
    for found in read:
        assert found.broken_rule == ""
        if found.annotation:
            assert label_rules.broken_rule(found.solution, found.annotation) == ""
            assert found.annotation.first_mistake == label_rules.first_mistake(
                found.solution, found.annotation
            )


def one(parse, record, line=7) -> LabelledSolution:
    (found,) = parse(record, line)
    return found


def ratings(found: LabelledSolution) -> list[int | None]:
    assert found.annotation is not None
    return [rating.rating for rating in found.annotation.ratings]


PROCESSBENCH = {
    "id": "gsm8k-1",
    "generator": "m",
    "problem": "p",
    "steps": ["a", "b", "c"],
    "final_answer_correct": False,
    "label": 1,
}


def test_processbench_counts_from_zero_and_says_nothing_after_the_mistake():
    found = one(processbench.parse, PROCESSBENCH)
    assert (found.solution.id, found.solution.steps) == ("gsm8k-1", ("a", "b", "c"))
    assert found.annotation is not None
    assert ratings(found) == [1, -1]
    assert (found.annotation.first_mistake, found.annotation.finish_reason) == (1, FinishReason.FOUND_ERROR)
    assert found.annotation.labeler == "imported:processbench"
    assert found.solution.is_correct is False


def test_processbench_minus_one_is_a_finished_look_without_mistake():
    found = one(processbench.parse, PROCESSBENCH | {"label": -1})
    assert ratings(found) == [1, 1, 1]
    assert found.annotation is not None and found.annotation.finish_reason == FinishReason.SOLUTION


def test_processbench_s_null_says_that_nobody_knows_the_answer():
    assert one(processbench.parse, PROCESSBENCH | {"final_answer_correct": None}).solution.is_correct is None


def test_processbench_without_an_id_is_known_by_its_line():
    record = {key: value for key, value in PROCESSBENCH.items() if key != "id"}
    assert one(processbench.parse, record, 12).solution.id == "12"


BIG_BENCH = {"input": "1 + 1 =", "steps": ["a", "b"], "answer": "3", "target": "2", "mistake_index": None}


def test_a_wrong_answer_without_a_mistake_is_kept_for_the_comparison_to_find():
    found = one(big_bench_mistake.parse, BIG_BENCH)
    assert (ratings(found), found.broken_rule) == ([1, 1], "")
    assert GivenAnswers().is_correct(found.solution) is False


def test_big_bench_mistake_s_answer_in_another_notation_is_no_wrong_answer():
    answers = GivenAnswers()
    for answer, target in (("3", "3"), (").", ")"), ("aster, wan", "aster wan")):
        found = one(big_bench_mistake.parse, BIG_BENCH | {"answer": answer, "target": target})
        assert answers.is_correct(found.solution) is True
    assert found.solution.is_correct is None


def test_the_real_arithmetic_traces_hold_twelve_wrong_answers_without_a_mistake():
    path = real_data("big_bench_mistake/multistep_arithmetic.jsonl")
    answers = GivenAnswers()
    caught = [
        found
        for found in formats.read(path, "big_bench_mistake")
        if found.annotation and found.annotation.first_mistake is None
        if answers.is_correct(found.solution) is False
    ]
    assert len(caught) == 12


@pytest.mark.parametrize(
    "change", [{"mistake_index": 2}, {"mistake_index": -1}, {"mistake_index": "1"}, {"target": None}]
)
def test_big_bench_mistake_refuses_what_it_cannot_mean(change):
    with pytest.raises(Unreadable):
        one(big_bench_mistake.parse, BIG_BENCH | change)


def test_big_bench_mistake_wants_to_be_told_that_there_is_no_mistake():
    record = {key: value for key, value in BIG_BENCH.items() if key != "mistake_index"}
    with pytest.raises(Unreadable, match="no key `mistake_index`"):
        one(big_bench_mistake.parse, record)


MR = {
    "uuid": "u",
    "question": "q",
    "ground_truth_solution": "s",
    "ground_truth_answer": 17,
    "model_output_steps": ["Step 1: a", "Step 2: b", "Step 3: c"],
    "model_output_answer_correctness": "wrong",
    "model_output_solution_correctness": "wrong",
    "model_output_solution_first_error_step": 2,
    "model_output_solution_first_error_reason": "because",
    "question_type": "original",
}


@pytest.mark.parametrize("step", [2, "2"])
def test_mr_gsm8k_counts_from_one(step):
    found = one(mr_gsm8k.parse, MR | {"model_output_solution_first_error_step": step})
    assert found.annotation is not None
    assert (ratings(found), found.annotation.first_mistake, found.annotation.reason) == (
        [1, -1],
        1,
        "because",
    )
    assert (found.solution.problem.answer, found.solution.problem.reference_solution) == ("17", "s")


@pytest.mark.parametrize("step", [0, 4, -1, "four", True, 2.0, "²"])
def test_mr_gsm8k_refuses_a_step_that_is_not_there(step):
    with pytest.raises(Unreadable, match="a step from 1 to 3, or N/A"):
        one(mr_gsm8k.parse, MR | {"model_output_solution_first_error_step": step})


def test_mr_gsm8k_keeps_a_wrong_solution_without_an_error_step_and_names_the_rule():
    found = one(mr_gsm8k.parse, MR | {"model_output_solution_first_error_step": "N/A"})
    assert (ratings(found), found.broken_rule) == ([], "found_error_without_mistake")
    assert found.annotation is not None
    assert label_rules.broken_rule(found.solution, found.annotation) == found.broken_rule


def test_mr_gsm8k_keeps_a_right_solution_with_an_error_step_and_names_the_rule():
    found = one(mr_gsm8k.parse, MR | {"model_output_solution_correctness": "correct"})
    assert found.broken_rule == "solution_with_mistake"
    assert found.annotation is not None
    assert label_rules.broken_rule(found.solution, found.annotation) == found.broken_rule


def test_mr_gsm8k_without_an_error_is_a_solution():
    change = {"model_output_solution_correctness": "correct", "model_output_solution_first_error_step": "N/A"}
    found = one(mr_gsm8k.parse, MR | change | {"model_output_solution_first_error_reason": "N/A"})
    assert found.annotation is not None
    assert (ratings(found), found.annotation.reason, found.broken_rule) == ([1, 1, 1], "", "")


def test_each_model_of_a_gsm8k_line_is_a_solution_of_the_same_problem():
    record = {
        "question": "q",
        "ground_truth": "so 18\nA: 18",
        "small": {"is_correct": False, "solution": "one\n\ntwo\nA: 4"},
        "large": {"is_correct": True, "solution": "cut off"},
    }
    small, large = gsm8k_solutions.parse(record, 3)
    assert (small.solution.id, large.solution.id) == ("3:small", "3:large")
    assert small.solution.steps == ("one", "two", "A: 4")
    assert (small.solution.final_answer, large.solution.final_answer) == ("4", None)
    assert small.solution.problem == large.solution.problem
    assert small.solution.problem.answer == "18"
    assert small.annotation is None


def test_a_bad_fourth_model_takes_its_whole_line_with_it(tmp_path):
    path = tmp_path / "one.jsonl"
    path.write_text(
        '{"question": "q", "ground_truth": "A: 1", '
        '"a": {"is_correct": true, "solution": "A: 1"}, "b": {"is_correct": 1}}'
    )
    errors: list[BadRecord] = []
    assert list(formats.read(path, "gsm8k_solutions", on_error=errors.append)) == []
    assert len(errors) == 1


def test_our_own_samples_carry_the_checker_s_word_only_where_it_spoke(tmp_path):
    solutions = [
        {
            "steps": ["a", "b"],
            "final_answer": "2",
            "is_correct": True,
            "style": "prose",
            "first_mistake": None,
        },
        {"steps": ["a", "b"], "final_answer": None, "is_correct": False, "first_mistake": 1},
        {"steps": ["a"], "final_answer": "3", "is_correct": None},
    ]
    read = list(misstep.parse({"id": "p-1", "problem": "q", "answer": "2", "solutions": solutions}, 1))
    assert [found.solution.id for found in read] == ["p-1/0", "p-1/1", "p-1/2"]
    assert (ratings(read[0]), ratings(read[1]), read[2].annotation) == ([1, 1], [1, -1], None)
    assert read[0].annotation is not None and read[0].annotation.labeler == "checker"
    assert read[0].solution.extra == {"style": "prose"}
    pool = {"id": "p-1", "problem": "q", "answer": "2", "candidates": solutions}
    assert list(misstep.parse(pool, 1)) == read
    (path := tmp_path / "pool.jsonl").write_text(json.dumps(pool) + "\n")
    assert formats.guess(path) == "misstep" and list(formats.read(path, "misstep")) == read
    with pytest.raises(BadRecord, match="a line of the format misstep, expected one of the format records"):
        list(formats.read(path, "records"))
    with pytest.raises(Unreadable, match=r"candidates\[3\]: no key `steps`"):
        list(misstep.parse({**pool, "candidates": [*solutions, {}]}, 1))
    with pytest.raises(Unreadable, match="both `solutions` and `candidates`"):
        list(misstep.parse({**pool, "solutions": solutions}, 1))
