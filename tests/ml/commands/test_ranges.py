"""Numbers that no run can have are refused with the arguments."""

import pytest

from ml.commands import evaluate, sample, score, train

FIRST_MISTAKE = ("first-mistake", "--scores", "s", "--solutions", "s")
SCORE = ("--checkpoint", "c", "--solutions", "s", "--out", "o")
SAMPLE = ("--problems", "pocket:2", "--out", "o")
TRAIN = ("--snapshot", "s", "--out", "o")
WHOLE = "a whole number above 0"


@pytest.mark.parametrize(
    "command,arguments,option,value,expected",
    [
        (evaluate, FIRST_MISTAKE, "--threshold", "nan", "a number"),
        (evaluate, ("best-of-n", "--pool", "p"), "--subsamples", "0", WHOLE),
        (evaluate, ("best-of-n", "--pool", "p"), "--seed", "-1", "a whole number, 0 or more"),
        (score, SCORE, "--threads", "-2", WHOLE),
        (score, SCORE, "--part", "0/2", "I/N with I from 1 to N"),
        (score, SCORE, "--part", "3/2", "I/N with I from 1 to N"),
        (score, SCORE, "--part", "2", "I/N with I from 1 to N"),
        (sample, SAMPLE, "--n", "0", WHOLE),
        (sample, SAMPLE, "--temperature", "nan", "a number, 0 or more"),
        (train, TRAIN, "--steps", "0", WHOLE),
        (train, TRAIN, "--lora", "-1", "a whole number, 0 or more"),
        (train, TRAIN, "--learning-rate", "inf", "a number above 0"),
        (train, TRAIN, "--class-weights", "0.0", "a number above 0"),
        (train, TRAIN, "--least-margin", "nan", "a number, 0 or more"),
        (train, TRAIN, "--threshold", "1", "a number from 0 to below 1"),
    ],
)
def test_a_number_that_no_run_can_have_is_refused(capsys, command, arguments, option, value, expected):
    with pytest.raises(SystemExit):
        command.main([*arguments, option, value])
    assert f"argument {option}: {value!r}, expected {expected}\n" in capsys.readouterr().err


def test_a_threshold_may_lie_anywhere_since_scores_of_a_preference_model_do():
    options = evaluate.parser().parse_args([*FIRST_MISTAKE, "--threshold=-0.4"])
    assert options.threshold == -0.4
