"""Several looks at one solution are one row, also where each saw other alternatives at the step they stopped."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from ml.formats import read
from ml.records import Option, Position
from ml.targets import LabelRule
from ml.targets.alternatives import joined
from ml.targets.file_rows import rows_from

STEPS = ["Add 1 and 1 to get 2.", "Double it: 4.", "So it is 4.\n\n# Answer\n\n4"]


def line(labeler: str, ratings: list[int], alternatives: list[tuple[str, int]], reason: str) -> str:
    """One person's line as PRM800K writes it; the alternatives stand where the person stopped."""
    steps: list[dict[str, Any]] = [
        {
            "completions": [{"text": text, "rating": rating, "flagged": False}],
            "human_completion": None,
            "chosen_completion": 0,
        }
        for text, rating in zip(STEPS, ratings, strict=False)
    ]
    steps[-1]["completions"] += [{"text": t, "rating": r, "flagged": False} for t, r in alternatives]
    if reason == "found_error":
        steps[-1]["chosen_completion"] = None
    question = {
        "problem": "Compute 2(1+1).",
        "ground_truth_answer": "4",
        "ground_truth_solution": "4",
        "pre_generated_steps": STEPS,
        "pre_generated_answer": "4",
        "pre_generated_verifier_score": 0.5,
    }
    return json.dumps(
        {
            "labeler": labeler,
            "timestamp": "2022-07-31T00:00:00",
            "generation": 3,
            "is_quality_control_question": False,
            "is_initial_screening_question": False,
            "question": question,
            "label": {"steps": steps, "total_time": 1000, "finish_reason": reason},
        }
    )


def test_looks_with_other_alternatives_are_witnesses_of_one_row(tmp_path: Path) -> None:
    path = tmp_path / "phase2.jsonl"
    lines = [
        line("a", [1, 1, 1], [], "solution"),
        line("b", [1, -1], [("Double it to 4.", 1), ("Two doubled.", 0)], "found_error"),
        line("c", [1, -1], [("Two doubled.", -1), ("It doubles.", 1)], "found_error"),
    ]
    path.write_text("\n".join(lines) + "\n")
    dropped: Counter[str] = Counter()
    [row] = rows_from(str(path), read(path, "prm800k"), {}, LabelRule("human"), dropped)
    assert row.human and row.human["witnesses"] == {"a": None, "b": 1, "c": 1}
    assert (row.labels, dropped) == ([1.0, 0.0, None], {"repeated_solutions": 2})
    # What two people rated is one alternative: the lower of their ratings counts.
    rated = {option["text"]: option["rating"] for option in row.options}
    assert rated == {"Double it to 4.": 1, "Two doubled.": -1, "It doubles.": 1}


def test_joined_alternatives_keep_the_numbers_of_the_first_and_have_equal_ones_once() -> None:
    one, two, three = (Option(text) for text in ("one", "two", "three"))
    first = (Position((one, two)),)
    second = (Position((one, three, two)), Position((three,), None))
    assert joined(first, second) == (Position((one, two, three)), Position((three,), None))
    # The same words by a person are no words of the model.
    written = (Position((one, Option("two", "human"))),)
    assert joined(first, written) == (Position((one, two, Option("two", "human"))),)
