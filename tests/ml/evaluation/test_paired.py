"""Two models on the same solutions: the difference, and an interval that knows that the solutions are the same."""

from __future__ import annotations

import json
import random

import pytest

from ml.commands.evaluate import main
from ml.errors import BadRecord, MisstepError
from ml.evaluation.outcomes import Outcome, read_outcomes
from ml.evaluation.paired import differences
from ml.snapshot import problem_hash
from tests.ml.evaluation.test_first_mistake import drawn, evaluated, files

MEASURES = ("f1", "accuracy_wrong", "accuracy_right", "exact")


def outcomes(said, truths, problems=None):
    return {
        str(place): Outcome(problems[place] if problems else str(place), truth, {"held_out": one})
        for place, (one, truth) in enumerate(zip(said, truths, strict=True))
    }


def two_models():
    """Truths, a model that is right about 70 % of them, and one that is right about the same and a few more."""
    generator = random.Random(0)
    truths = [generator.choice((-1, 1)) for _ in range(400)]
    worse = [truth if generator.random() < 0.7 else 0 for truth in truths]
    better = [truth if generator.random() < 0.1 else said for said, truth in zip(worse, truths, strict=True)]
    return truths, worse, better


def test_the_difference_is_that_of_both_figures_and_mirrors_itself():
    truths, worse, better = two_models()
    found = differences(outcomes(better, truths), outcomes(worse, truths))["held_out"]
    back = differences(outcomes(worse, truths), outcomes(better, truths))["held_out"]
    for name in MEASURES:
        assert found["difference"][name] == pytest.approx(found["first"][name] - found["second"][name])
        assert back["intervals"][name] == pytest.approx([-end for end in reversed(found["intervals"][name])])
    assert (found["count"], found["problems"]) == (400, 400)


def test_a_pair_tells_apart_what_two_intervals_side_by_side_cannot():
    truths, worse, better = two_models()
    found = differences(outcomes(better, truths), outcomes(worse, truths))["held_out"]
    assert found["intervals"]["exact"][0] > 0
    # Neither model alone is known to within the difference.
    alone = differences(outcomes(better, truths), outcomes([-2] * 400, truths))["held_out"]["intervals"][
        "exact"
    ]
    assert alone[1] - alone[0] > 1.5 * (found["intervals"]["exact"][1] - found["intervals"]["exact"][0])


def test_a_model_beside_itself_does_not_differ():
    truths, worse, _ = two_models()
    found = differences(outcomes(worse, truths), outcomes(worse, truths))["held_out"]
    assert set(found["difference"].values()) == {0.0}
    assert all(ends == [0.0, 0.0] for ends in found["intervals"].values())


@pytest.mark.parametrize(("problems", "is_told"), [(5, False), (6, True)])
def test_a_difference_of_fewer_than_six_problems_has_no_interval_to_lie_beyond_0(problems, is_told):
    truths, names = [1, -1] * 6, [str(place % problems) for place in range(12)]
    found = differences(outcomes(truths, truths, names), outcomes([0] * 12, truths, names))["held_out"]
    assert found["difference"]["exact"] == 1.0 and found["problems"] == problems
    assert set(found["intervals"]) == {*MEASURES}
    assert found["intervals"]["exact"] == ([1.0, 1.0] if is_told else None)


def test_solutions_that_only_one_judged_or_whose_label_changed_are_left_out_and_counted():
    one = outcomes([1, 1, -1, -1], [1, -1, -1, 1])
    other = outcomes([1, 1, -1], [1, 0, -1])
    found = differences(one, other)
    assert (found["judged_by_one_alone"], found["with_another_label"]) == (1, 1)
    assert found["held_out"]["count"] == 2 and found["unseen"] is None


def test_ids_of_other_problems_and_nothing_in_common_are_refused():
    one = outcomes([1], [1])
    with pytest.raises(MisstepError, match=r"1 ids name another problem in the second file \(0\)"):
        differences(one, outcomes([1], [1], ["another"]))
    with pytest.raises(MisstepError, match="no solution in common"):
        differences(one, {"other": one["0"]})


def test_the_command_compares_what_two_evaluations_kept(tmp_path, capsys):
    scores, truths = drawn(1)
    problems = [f"problem {index}" for index in range(len(truths))]
    known = tmp_path / "training_problems.txt"
    reports = []
    # The other model finds nothing wrong anywhere.
    blind = [[0.9] * len(values) for values in scores]
    for name, trained, values in (("one", problems[:10], scores), ("other", problems[5:20], blind)):
        known.write_text("\n".join(map(problem_hash, trained)))
        paths = files(tmp_path / name, values, truths, problems)
        out = tmp_path / f"{name}.jsonl"
        reports.append(evaluated(capsys, *paths, "--training-problems", str(known), "--out", str(out)))
    main(["difference", "--first", str(tmp_path / "one.jsonl"), "--second", str(tmp_path / "other.jsonl")])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["first"], found["second"]) == ("one.jsonl", "other.jsonl")
    assert found["held_out"]["count"] == found["by_threshold"]["count"] == len(truths)
    assert found["unseen"]["count"] == len(truths) - 20
    for rule, report in (("held_out", "held_out"), ("by_threshold", None)):
        for side, whole in zip(("first", "second"), reports, strict=True):
            expected = whole[report] if report else whole
            assert found[rule][side]["exact"] == pytest.approx(expected["exact"])
    assert found["held_out"]["intervals"]["accuracy_wrong"][0] > 0


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"id": "a", "first_mistake": 0}', "no id or no problem"),
        ('{"id": "a", "problem": "p", "first_mistake": true}', "position True"),
        ('{"id": "a", "problem": "p", "first_mistake": 0, "held_out": -3}', "position -3"),
        ('{"id": "a", "problem": "p", "first_mistake": 0}\n' * 2, "id 'a' a second time"),
    ],
)
def test_a_line_that_is_no_outcome_is_refused(tmp_path, line, told):
    path = tmp_path / "outcomes.jsonl"
    path.write_text(line)
    with pytest.raises(BadRecord, match=told):
        read_outcomes(path)
    path.write_text("")
    with pytest.raises(MisstepError, match="no lines"):
        read_outcomes(path)
