"""Whether a solution that was read from a file is right, where the file has both answers and no verdict on them.

Phase 2 of PRM800K is such a file: without a verdict of its own on `pre_generated_answer`, every outcome that is known
would be "right", because only equal texts tell at once.
"""

from __future__ import annotations

from ml.answer_grading import NotAsked, NoVerdict
from ml.answers import judge, judge_at_once
from ml.records import Solution

# Each answer that hangs the grader costs seconds: after so many of one file only what is told at once counts.
MOST_HUNG = 5


class GivenAnswers:
    """Grades the answers of one file. What no grader tells stays unknown: it is no evidence about the answer."""

    def __init__(self) -> None:
        self.hung = 0

    def is_correct(self, solution: Solution) -> bool | None:
        """The file's own verdict, else the grader's on its two answers; None where neither is known."""
        answer, reference = solution.final_answer, solution.problem.answer
        if solution.is_correct is not None or not answer or not reference:
            return solution.is_correct
        try:
            verdict = (judge if self.hung < MOST_HUNG else judge_at_once)(answer, reference)
        except NotAsked:
            return None
        except NoVerdict:
            self.hung += 1
            return None
        return None if verdict is None else verdict.primary
