"""A person's word on an answer: it replaces the graders', for that problem and that answer and nothing else."""

from __future__ import annotations

import json

import pytest

from ml.commands import autolabel
from ml.errors import BadRecord, MisstepError
from ml.policies.protocol import Continuation
from ml.records import Problem
from ml.search.decided import read_decided, word_on
from tests.ml.search.chain_autolabel_inputs import lines

HALF = {"problem": "Half?", "reference": "1/2", "answer": "2/4", "is_correct": False}


class Unreduced:
    """Every rollout says 2/4, which the graders judge differently where the reference is 1/2."""

    name = "unreduced"

    def complete(self, prefixes, count, temperature, seed):
        return [[Continuation(("The answer is 2/4.",), True, 5)] * count for _ in prefixes]


@pytest.fixture
def halves(tmp_path, monkeypatch):
    """Two problems with the same reference answer, and a solution of each."""
    monkeypatch.setattr(autolabel, "load_policy", lambda spec, engines, **_: Unreduced())
    solution = {"steps": ["Half.", "The answer is 2/4."], "final_answer": "2/4", "is_correct": True}
    problems = [("p0", "Half?"), ("p1", "One half?")]
    body = [{"id": pk, "problem": text, "answer": "1/2", "solutions": [solution]} for pk, text in problems]
    (tmp_path / "halves.jsonl").write_text("".join(json.dumps(line) + "\n" for line in body))
    return tmp_path


def run(folder, *words, out="out"):
    """Labels the two solutions with what people said; returns the shares of right rollouts and the run's counts."""
    decided = folder / "decided.jsonl"
    decided.write_text("".join(json.dumps(word) + "\n" for word in words))
    autolabel.main(
        ["--policy", "p", "--solutions", str(folder / "halves.jsonl"), "--format", "misstep", "--rollouts", "2",
         "--decided", str(decided), "--out", str(folder / out)]
    )  # fmt: skip
    found = lines(folder / out / "estimates.jsonl")
    counts = json.loads((folder / out / "run.json").read_text())["counts"]
    return [[step["correct"] for step in line["steps"]] for line in found], counts


def test_without_a_word_the_first_grader_decides_and_people_are_asked(halves):
    correct, counts = run(halves)
    assert correct == [[2, 2], [2, 2]]
    assert (counts["disputed_answers"], counts["decided_answers"]) == (2, 0)


def test_a_word_decides_its_own_problem_is_told_and_not_asked_for_again(halves):
    correct, counts = run(halves, HALF)
    assert correct == [[0, 0], [2, 2]]
    assert (counts["disputed_answers"], counts["decided_answers"]) == (1, 1)
    [asked] = lines(halves / "out" / "disputed_answers.jsonl")
    assert asked["id"] == "p1/0"


def test_another_word_is_another_run(halves):
    run(halves, HALF)
    settings = json.loads((halves / "out" / "run.json").read_text())["settings"]
    correct, _ = run(halves, {**HALF, "is_correct": True}, out="again")
    assert correct == [[2, 2], [2, 2]]
    assert settings["decided"]["answers"] == 1
    assert settings != json.loads((halves / "again" / "run.json").read_text())["settings"]


def test_a_word_is_on_a_problem_its_reference_and_an_answer():
    decided = {("Half?", "1/2", "2/4"): False}
    assert word_on(decided, Problem("a", "Half?", "1/2"), "2/4") is False
    for problem, answer in (
        (Problem("a", "Half?", "2/4"), "2/4"),
        (Problem("a", "A half?", "1/2"), "2/4"),
        (Problem("a", "Half?", "1/2"), "3/6"),
        (Problem("a", "Half?", "1/2"), None),
    ):
        assert word_on(decided, problem, answer) is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("nonsense", "decided.jsonl:1: unreadable"),
        ("[]", "decided.jsonl:1: unreadable"),
        (json.dumps({**HALF, "is_correct": 1}), "decided.jsonl:1"),
        (json.dumps({**HALF, "answer": 5}), "decided.jsonl:1"),
        (f"{json.dumps(HALF)}\n{json.dumps({**HALF, 'is_correct': True})}", "both right and wrong"),
    ],
)
def test_a_file_of_words_that_cannot_be_meant_is_refused(tmp_path, body, message):
    (tmp_path / "decided.jsonl").write_text(body + "\n")
    with pytest.raises(BadRecord, match=message) as refusal:
        read_decided(tmp_path / "decided.jsonl")
    assert isinstance(refusal.value, MisstepError)


def test_what_was_graded_against_the_majority_is_asked_against_the_majority(halves):
    solution = {"steps": ["Half.", "The answer is 1/2."], "final_answer": "1/2", "is_correct": False}
    line = {"id": "p", "problem": "Half?", "answer": "7", "solutions": [solution]}
    (halves / "one.jsonl").write_text(json.dumps(line) + "\n")
    arguments = ["--policy", "p", "--solutions", str(halves / "one.jsonl"), "--format", "misstep"]
    out = halves / "blind"
    autolabel.main([*arguments, "--rollouts", "2", "--reference", "self-consistency", "--out", str(out)])
    [asked] = lines(out / "disputed_answers.jsonl")
    assert (asked["reference"], [answer["answer"] for answer in asked["answers"]]) == ("2/4", ["1/2"])


def test_a_file_of_words_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MisstepError, match=r"absent\.jsonl: no such file"):
        read_decided(tmp_path / "absent.jsonl")
