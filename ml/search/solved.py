"""What `python -m ml solve` keeps of a problem: its line, a pool to choose from anew; and the sums over all lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ml.agreement import wilson_interval
from ml.answer_grading import NoVerdict
from ml.answers import judge
from ml.records import Problem
from ml.search.cost import Cost
from ml.search.sampling import solution_record
from ml.search.solving import Solved
from ml.search.texts import COMPLETIONS, STEPS
from ml.search.voting import Candidate, Chosen, score_of

# By answer: whether it is right, None where that is not known.
Verdicts = Mapping[str | None, bool | None]
# What of a cost is the same in every run of the same seed.
LASTING = ("tokens", "model_calls", "executions")


@dataclass(frozen=True, slots=True)
class Setting:
    """What the lines of one run have in common. source: the reward model's name, None where none is asked.
    aggregation: how step scores became one; None for a method that has no choice, whose last score is the solution's.
    """

    method: str
    generator: str
    style: str
    source: str | None
    is_signed: bool = False
    aggregation: str | None = None
    # How many candidates a problem has whatever becomes of them: samples. None where the search decides.
    samples: int | None = None

    def line(
        self, problem: Problem, solved: Solved, failed: int = 0, judged: Verdicts | None = None
    ) -> dict[str, Any]:
        """The line of a problem: the answer, and every trajectory that it was chosen from.

        `solutions` are as `python -m ml sample` writes them, so that a file of these is a pool for best-of-n and a
        `misstep` file. Scores are probabilities, also those of a signed model. failed: ends that the sandbox or the
        grader could not read. judged: what `verdicts_of` says, where that is known already. is_correct is null where
        no reference is known, the grader gave no verdict, or there is no answer and something failed or was lost: that
        says nothing of the method.
        """
        chosen, lost = solved.chosen, solved.texts["lost"]
        verdicts = dict(verdicts_of(problem, chosen) if judged is None else judged)
        is_no_evidence = chosen.answer is None and bool(failed or lost)
        if is_no_evidence:
            verdicts[None] = None
        written = [one for one in chosen.candidates if one.steps]
        graded = [one for one in written if one.is_evidence]
        kept = [one for one in graded if problem.answer is None or verdicts[one.answer] is not None]
        # A pool has its candidates also where nothing came of them; a search has one that answers nothing.
        empty = self.samples - lost - len(written) if self.samples is not None else int(not written)
        ungraded = len(written) - len(kept) + (lost if self.samples is not None else 0)
        if is_no_evidence:
            empty, ungraded = 0, ungraded + empty
        return {
            "id": problem.id,
            "problem": problem.text,
            **({"answer": problem.answer} if problem.answer is not None else {}),
            "generator": self.generator,
            "method": self.method,
            **({"aggregation": self.aggregation} if self.aggregation is not None else {}),
            "chosen_answer": chosen.answer,
            "is_correct": verdicts[chosen.answer],
            "cost": {name: getattr(solved.cost, name) for name in LASTING},
            "solutions": [self._solution(problem, one, verdicts[one.answer]) for one in kept],
            **({"empty_samples": empty} if empty > 0 else {}),
            **({"ungraded_samples": ungraded} if ungraded > 0 else {}),
        }

    def _solution(self, problem: Problem, candidate: Candidate, is_correct: bool | None) -> dict[str, Any]:
        record = solution_record(problem, candidate.steps, candidate.answer, is_correct, self.style)
        if self.source is not None and candidate.step_scores:
            scores = tuple(map(self._probability, candidate.step_scores))
            record["score"] = score_of(Candidate((), None, scores), self.aggregation or "last")
            record["step_scores"] = {self.source: list(scores)}
        return record

    def _probability(self, score: float) -> float:
        # Rounded as the reward model's own word was, before it was stretched to -1 .. 1.
        return round((score + 1.0) / 2.0, 4) if self.is_signed else score


def verdicts_of(problem: Problem, chosen: Chosen) -> Verdicts:
    """Whether each answer of a problem is right. The grader may take long."""
    answers = dict.fromkeys([*(one.answer for one in chosen.candidates), chosen.answer])
    return {answer: _verdict(answer, problem) for answer in answers}


def _verdict(answer: str | None, problem: Problem) -> bool | None:
    if problem.answer is None:
        return None
    try:
        return judge(answer, problem.answer).primary
    except NoVerdict:
        return None


@dataclass
class SolvedTotals:
    """Sums over the problems of a run, those of earlier starts too."""

    searched: int = 0
    unanswered: int = 0
    without_answer: int = 0
    graded: int = 0
    correct: int = 0
    cost: Cost = field(default_factory=Cost)
    texts: Counter[str] = field(default_factory=Counter)

    def add(self, kept: Mapping[str, Any]) -> None:
        """Take in what was kept of one problem: its `line` and `texts`, or why it is `unanswered`; and `seconds`."""
        self.cost.seconds += kept["seconds"]
        if "line" not in kept:
            self.unanswered += 1
            return
        line = kept["line"]
        self.searched += 1
        self.without_answer += line["chosen_answer"] is None
        self.graded += line["is_correct"] is not None
        self.correct += bool(line["is_correct"])
        self.cost.add(Cost(**line["cost"]))
        self.texts.update(kept["texts"])

    def metrics(self, spent: Cost) -> dict[str, Any]:
        """What a progress line shows. spent: on all that was begun, done or not; equal requests were served once."""
        return {
            "accuracy": self.accuracy,
            "tokens": max(self.cost.tokens, spent.tokens),
            "model_calls": max(self.cost.model_calls, spent.model_calls),
        }

    @property
    def accuracy(self) -> float | None:
        """The share of right answers among the graded; None while there are none."""
        return round(self.correct / self.graded, 4) if self.graded else None

    def as_json(self) -> dict[str, Any]:
        """The figures of the result: accuracy with its 95 % interval (Wilson), and the cost in sum and per problem."""
        interval = [round(end, 4) for end in wilson_interval(self.correct, self.graded)]
        cost = asdict(self.cost) | {"seconds": round(self.cost.seconds, 3)}
        return {
            "unanswered": self.unanswered,
            "without_answer": self.without_answer,
            "without_answer_share": round(self.without_answer / self.searched, 4) if self.searched else None,
            "graded": self.graded,
            "correct": self.correct,
            "accuracy": self.accuracy,
            "interval": interval if self.graded else None,
            "cut_off": self.texts[f"cut_off_{STEPS}"] + self.texts[f"cut_off_{COMPLETIONS}"],
            "cost": cost,
            "cost_per_problem": {
                name: round(value / self.searched, 3) if self.searched else None
                for name, value in cost.items()
            },
        }


def totals_of(kept: Iterable[Mapping[str, Any]]) -> SolvedTotals:
    """The sums over what a run has kept so far."""
    totals = SolvedTotals()
    for one in kept:
        totals.add(one)
    return totals
