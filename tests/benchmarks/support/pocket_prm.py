"""A step classifier trained from a pocket base on given rows, and how well it judges held-out solutions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.agreement import auc
from ml.evaluation.best_of_n import Pool, table
from ml.evaluation.first_mistake import best_threshold, harmonic, predict
from ml.evaluation.judged import half_of
from ml.evaluation.pools import group_answers
from ml.evaluation.step_curves import judged_steps
from ml.prm.bases import HeadSettings, open_base
from ml.prm.examples import ExampleSettings, examples_from
from ml.prm.likelihood import TOLERANCE
from ml.prm.model import ProcessRewardModel
from ml.prm.score import Scorer, Unscored
from ml.prm.train import TrainingSettings, train
from ml.snapshot import SnapshotRow, problem_hash
from ml.targets import LabelRule
from tests.benchmarks.support.pocket_pool import Unlabelled

RESAMPLES = 500


@dataclass(frozen=True)
class Recipe:
    """Every model learns for the same number of epochs, so that its updates grow with its labels, but for no fewer than
    `least_updates`: of a handful of labels, a new head would see none often enough.

    head: `linear` or `likelihood`, base: `pocket` or `pocket-reader`, as `python -m ml train` has them.
    """

    epochs: float
    batch_size: int
    learning_rate: float
    head: str
    base: str = "pocket"
    least_updates: int = 1

    def updates(self, examples: int) -> int:
        """How many updates a model makes of so many labelled solutions."""
        return max(self.least_updates, round(self.epochs * examples / min(self.batch_size, examples)))


def trained(rows: Sequence[SnapshotRow], recipe: Recipe, seed: int) -> Scorer:
    """A PRM from the rows' labels."""
    texts = [text for row in rows for text in (row.problem, *row.steps)]
    tolerance = TOLERANCE if recipe.head == "likelihood" else None
    base = open_base(recipe.base, texts, HeadSettings(tolerance=tolerance), seed, None, False)
    examples = examples_from(rows, base.tokenizer, LabelRule("human"), ExampleSettings(), Counter())
    model = ProcessRewardModel(base.model, (), tolerance, len(base.tokenizer.separator))
    settings = TrainingSettings(
        "classifier",
        recipe.updates(len(examples)),
        seed=seed,
        learning_rate=recipe.learning_rate,
        batch_size=recipe.batch_size,
        language_weight=0.0 if tolerance is None else 1.0,
    )
    train(model, examples, settings)
    return Scorer(model, base.tokenizer, {"objective": "classifier", "label_rule": {"neutral": "positive"}})


def scores_of(scorer: Scorer, pool: Sequence[Unlabelled]) -> list[list[float | None]]:
    """The step scores of each solution, in order."""
    waiting = (Unscored(one.row.id, one.row.problem, one.row.steps) for one in pool)
    return [scores for _, scores in scorer.score_all(waiting)]


def judged(scorer: Scorer, test: Sequence[Unlabelled]) -> dict[str, Any]:
    """Step AUC, best-of-n, and per problem [exact wrong, wrong, exact right, right] at the other half's threshold."""
    scores, truths = scores_of(scorer, test), [one.first_mistake for one in test]
    flat, correct, _ = judged_steps(scores, truths)
    return {
        "step_auc": auc(flat, correct),
        "best_of_n": best_of_n(test, scores),
        "by_problem": _exact_by_problem(test, scores, truths),
    }


def best_of_n(test: Sequence[Unlabelled], scores: Sequence[Sequence[float | None]]) -> dict[str, float]:
    """Accuracy of the highest product among each problem's solutions, beside majority, pass@1 and the oracle."""
    problems: dict[str, list[int]] = {}
    for place, one in enumerate(test):
        problems.setdefault(one.row.problem_id, []).append(place)
    pools = [
        Pool(
            id=name,
            groups=np.asarray(group_answers([test[k].row.final_answer for k in places], str.__eq__)),
            right=np.asarray([bool(test[k].row.is_correct) for k in places]),
            scores={"prm": [[score or 0.0 for score in scores[k]] for k in places]},
        )
        for name, places in problems.items()
    ]
    smallest = min(len(pool.right) for pool in pools)
    wanted = ("product", "minimum", "majority", "pass@1", "oracle")
    rows = table(pools, [smallest], subsamples=1, resamples=1)
    return {str(row["rule"]): float(row["accuracy"]) for row in rows if row["rule"] in wanted}  # type: ignore[arg-type]


def f1_interval(runs: Sequence[Sequence[Sequence[int]]]) -> tuple[float, float, float]:
    """Mean F1 over runs, with a 95 % bootstrap over problems (and runs): runs holds `by_problem` per seed."""
    counts: NDArray[np.int64] = np.asarray(runs)  # [runs, problems, 4]
    draw = np.random.default_rng(0)
    means = []
    for _ in range(RESAMPLES):
        chosen = draw.integers(0, counts.shape[1], counts.shape[1])
        of_runs = draw.integers(0, counts.shape[0], counts.shape[0])
        means.append(_mean_f1(counts[of_runs][:, chosen]))
    return _mean_f1(counts), float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def _mean_f1(counts: NDArray[np.int64]) -> float:
    totals = counts.sum(axis=1)
    return float(np.mean([harmonic(w / max(wrong, 1), r / max(right, 1)) for w, wrong, r, right in totals]))


def _exact_by_problem(
    test: Sequence[Unlabelled], scores: Sequence[Sequence[float | None]], truths: Sequence[int | None]
) -> list[list[int]]:
    halves = [half_of(problem_hash(one.row.problem)) for one in test]
    thresholds = [
        best_threshold(
            [s for s, half in zip(scores, halves, strict=True) if half != own],
            [t for t, half in zip(truths, halves, strict=True) if half != own],
        )
        for own in (0, 1)
    ]
    problems: dict[str, list[int]] = {}
    for one, values, truth, half in zip(test, scores, truths, halves, strict=True):
        counted = problems.setdefault(one.row.problem_id, [0, 0, 0, 0])
        place = 0 if truth is not None else 2
        counted[place] += predict(values, thresholds[half]) == truth
        counted[place + 1] += 1
    return list(problems.values())
