"""The PRM that ships with the product: whole, and it knows a wrong sum when it reads one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ml.pocket
from ml.prm.checkpoint import seems_whole
from ml.prm.score import Scorer, load_scorer

FOLDER = Path(ml.pocket.__file__).parent / "prm"
PROBLEM = "((-1 * 9 + 1) - (8 + -2 * 7)) ="
PLAN = 'This equation can be written as "(A - B)", where A = (-1 * 9 + 1) and B = (8 + -2 * 7).'
STEPS = [
    PLAN,
    "Let's calculate A = (-1 * 9 + 1) = ((-1 * 9) + 1) = (-9 + 1) = -8.",
    "Let's calculate B = (8 + -2 * 7) = (8 + (-2 * 7)) = (8 + -14) = -6.",
    "Then, the final equation is A - B = -8 - -6 = -2. So the answer is -2.",
]


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return load_scorer(FOLDER)


def test_its_files_are_those_that_were_written_and_no_person_labelled_for_it() -> None:
    assert seems_whole(FOLDER)
    card = json.loads((FOLDER / "card.json").read_text())
    assert card["label_rule"]["labels"] == "automatic" and card["base"]["weights"] == "given"


@pytest.mark.parametrize(
    ("place", "right", "wrong"),
    [
        (1, "= -8.", "= -10."),
        (2, "(8 + -14) = -6.", "(8 + -14) = -22."),
        (3, "-8 - -6 = -2", "-8 - -6 = -14"),
    ],
)
def test_it_finds_the_step_that_was_made_wrong(scorer: Scorer, place: int, right: str, wrong: str) -> None:
    steps = [*STEPS[:place], STEPS[place].replace(right, wrong), *STEPS[place + 1 :]]
    whole, broken = scorer.score(PROBLEM, STEPS), scorer.score(PROBLEM, steps)
    assert broken[place] < 0.05 and broken[place] < whole[place] / 10
    # The steps before it read as before, and are right by any threshold that suits strangers.
    assert broken[:place] == pytest.approx(whole[:place], abs=1e-5) and min(broken[:place]) > 0.5
