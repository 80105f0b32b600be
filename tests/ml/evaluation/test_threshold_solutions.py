"""A threshold and a calibration from other solutions, which are of other problems than the judged ones."""

from __future__ import annotations

import pytest

from ml.errors import MisstepError
from ml.evaluation.first_mistake import best_threshold
from tests.ml.evaluation.test_first_mistake import drawn, evaluated, files


def given(paths):
    return "--threshold-solutions", str(paths[0]), "--threshold-scores", str(paths[1])


def other_problems(count):
    return [f"other problem {index}" for index in range(count)]


def test_solutions_of_judged_problems_choose_no_threshold_and_calibrate_nothing(tmp_path, capsys):
    judged = files(tmp_path / "judged", *drawn(1))
    scores, truths = drawn(2)
    shared = files(
        tmp_path / "shared", scores, truths, [*other_problems(40), *map("problem {}".format, range(20))]
    )
    apart = files(tmp_path / "apart", scores[:40], truths[:40], other_problems(40))
    with pytest.warns(UserWarning, match="20 of the 60 .* of judged problems"):
        report = evaluated(capsys, *judged, *given(shared))
    assert report["threshold_solutions_left_out"] == 20
    assert report["threshold"] == best_threshold(scores[:40], truths[:40])
    assert report | {"threshold_solutions_left_out": 0} == evaluated(capsys, *judged, *given(apart))
    assert "threshold_solutions_left_out" not in evaluated(capsys, *judged)


def test_a_threshold_from_judged_problems_alone_is_refused(tmp_path, capsys):
    judged, other = files(tmp_path / "judged", *drawn(1)), files(tmp_path / "other", *drawn(2))
    told = r"other/solutions\.jsonl: all of its 60 labelled solutions are of problems in .*, expected other problems"
    with pytest.raises(MisstepError, match=told):
        evaluated(capsys, *judged, *given(other))
