"""The majority of written critiques: what is read from them, who wins, and what it is worth, worked by hand."""

from __future__ import annotations

import json

import pytest

from ml.commands.evaluate import main
from ml.errors import MisstepError
from ml.evaluation.critiques import critique_report, majority, verdict_of
from ml.evaluation.first_mistake import MISSING


@pytest.mark.parametrize(
    ("critique", "verdict"),
    [
        ("Paragraph 2 adds wrongly, so \\boxed{2}", 2),
        ("First I thought \\boxed{1}, but it holds: \\boxed{-1}", -1),
        ("\\boxed{ 3 }", 3),
        ("The first mistake is in paragraph 2.", None),
        ("\\boxed{paragraph 2}", None),
        ("\\boxed{2", None),
        ("\\boxed{-2}", None),
        ("", None),
        (4, 4),
        (-1, -1),
        (-7, None),
        (None, None),
    ],
)
def test_a_verdict_is_the_number_in_the_last_box_and_nothing_else(critique, verdict) -> None:
    assert verdict_of(critique) == verdict


@pytest.mark.parametrize(
    ("verdicts", "said", "share"),
    [
        ([2, 2, 1], 2, 2 / 3),
        ([-1, -1, 4], None, 2 / 3),
        ([None, None, 3], 3, 1.0),
        ([1, 2, 2, 1], 1, 0.5),
        ([None, None], MISSING, 0.0),
        ([], MISSING, 0.0),
    ],
)
def test_what_cannot_be_read_does_not_vote_and_the_first_of_equals_wins(verdicts, said, share) -> None:
    assert majority(verdicts) == (said, pytest.approx(share))


def test_the_figures_of_four_solutions_by_hand() -> None:
    critiques = [[1, 1, 0], [-1, -1, -1], [None, None, None], [0, -1, -1]]
    found = critique_report(critiques, [1, None, None, 0])
    assert (found["accuracy_wrong"], found["accuracy_right"], found["f1"]) == (0.5, 0.5, 0.5)
    # Alone: 2 of 3 and 1 of 3 right where there is a mistake, 3 of 3 and 0 of 3 where there is none.
    assert (found["single"]["accuracy_wrong"], found["single"]["accuracy_right"]) == (0.5, 0.5)
    assert (found["critiques"], found["unreadable"], found["without_verdict"]) == (12, 3, 1)
    assert found["by_agreement"] == [
        {"agree": "all", "count": 1, "exact": 1.0},
        {"agree": "most", "count": 2, "exact": 0.5},
    ]


def test_a_solution_without_any_critique_counts_as_wrong() -> None:
    found = critique_report([[], [2]], [2, 2])
    assert found["accuracy_wrong"] == 0.5 and found["single"]["accuracy_wrong"] == 0.5


@pytest.fixture
def solutions(tmp_path):
    path = tmp_path / "solutions.jsonl"
    lines = [
        {
            "id": f"s-{number}",
            "problem": "1 + 1 + 1?",
            "steps": ["1 + 1 = 2", "2 + 1 = 3"],
            "label": label,
            "final_answer_correct": label == -1,
        }
        for number, label in enumerate((1, -1, 0))
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def evaluate(tmp_path, solutions, lines: str) -> int:
    (tmp_path / "critiques.jsonl").write_text(lines)
    return main(
        ["critiques", "--critiques", str(tmp_path / "critiques.jsonl"), "--solutions", str(solutions),
         "--format", "processbench"]
    )  # fmt: skip


def test_the_command_joins_critiques_with_labels(tmp_path, solutions, capsys) -> None:
    lines = [
        {"id": "s-0", "critiques": ["\\boxed{1}", "\\boxed{1}", "no idea"]},
        {"id": "s-1", "critiques": [-1]},
    ]
    assert evaluate(tmp_path, solutions, "".join(json.dumps(line) + "\n" for line in lines)) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["accuracy_wrong"], found["accuracy_right"], found["count"]) == (0.5, 1.0, 3)
    assert (found["unreadable"], found["without_verdict"]) == (1, 1)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "no critiques"),
        ("[]\n", "critiques.jsonl:1: unreadable"),
        ('{"id": "s-0", "critiques": "\\\\boxed{1}"}\n', "critiques.jsonl:1: critiques"),
        ('{"id": "s-0", "critiques": [true]}\n', "critiques.jsonl:1: critiques"),
        ('{"id": "s-0", "critiques": [1]}\n{"id": "s-0", "critiques": [1]}\n', "a second time"),
        ('{"id": "other", "critiques": [1]}\n', "none of its ids"),
    ],
)
def test_bad_input_is_refused_with_its_line(tmp_path, solutions, lines, message) -> None:
    with pytest.raises(MisstepError, match=message):
        evaluate(tmp_path, solutions, lines)
