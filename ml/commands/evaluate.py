"""`python -m ml evaluate`: measure scores on the first mistake or by choosing among n solutions, and critiques."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ml.commands.evaluate_options import parser
from ml.errors import MisstepError
from ml.evaluation.best_of_n import Pool, differences_by_rule, sizes_of, table
from ml.evaluation.critiques import critique_report, read_critiques
from ml.evaluation.first_mistake import best_threshold, first_mistake_report, predict
from ml.evaluation.first_mistake_figures import figures, held_out, most_likely, unseen
from ml.evaluation.judged import apart, joined
from ml.evaluation.outcomes import lines_of, read_outcomes
from ml.evaluation.paired import differences
from ml.evaluation.pools import read_pools, read_scores, unscored
from ml.evaluation.step_curves import step_report
from ml.evaluation.training_problems import named_problems
from ml.evaluation.truths import NoTruth, truths
from ml.formats import format_of, read
from ml.progress import Progress, print_result
from ml.whole_file import refuse_unwritable, write_lines


def main(argv: list[str]) -> int:
    """Print one JSON object with the figures."""
    options = parser().parse_args(argv)
    kinds = {
        "first-mistake": _first_mistake,
        "difference": _difference,
        "critiques": _critiques,
        "best-of-n": _best_of_n,
    }
    print_result(kinds[options.kind](options))
    return 0


def _first_mistake(options: argparse.Namespace) -> dict[str, Any]:
    for name, other_name in (("solutions", "scores"), ("scores", "solutions")):
        if getattr(options, f"threshold_{name}") and not getattr(options, f"threshold_{other_name}"):
            raise MisstepError(f"--threshold-{name} without --threshold-{other_name}, expected both")
    if options.out is not None:
        refuse_unwritable(options.out, options.solutions, options.scores, options.threshold_solutions,
            options.threshold_scores, options.training_problems)  # fmt: skip
    judged = joined(options.solutions, options.format, options.scores)
    other, left_out = None, {}
    if options.threshold_solutions is not None:
        everything = joined(options.threshold_solutions, options.threshold_format, options.threshold_scores)
        other = apart(everything, options.threshold_solutions, judged, options.solutions)
        left_out = {"threshold_solutions_left_out": len(everything.rows) - len(other.rows)}
    threshold, chosen_on = options.threshold, "given"
    if threshold is None and other is not None:
        threshold, chosen_on = best_threshold(other.scores, other.truths), options.threshold_solutions.name
    elif threshold is None:
        chosen_on = f"{options.solutions.name} itself"
    beside = None if other is None else options.threshold_solutions.name
    report = first_mistake_report(judged.scores, judged.truths, threshold)
    known = None if options.training_problems is None else named_problems(options.training_problems)
    if options.out is not None:
        write_lines(options.out, lines_of(judged, report["threshold"], known))
    return {
        "solutions": options.solutions.name,
        **report,
        **figures([predict(values, report["threshold"]) for values in judged.scores], judged.rows),
        "threshold_chosen_on": chosen_on,
        **left_out,
        "held_out": held_out(judged),
        "most_likely": most_likely(judged, other, beside),
        **({} if known is None else unseen(judged, known, other, beside)),
        **_counts(judged.left_out),
        "steps": step_report(judged.scores, judged.truths),
    }


def _difference(options: argparse.Namespace) -> dict[str, Any]:
    found = differences(read_outcomes(options.first), read_outcomes(options.second))
    return {"first": options.first.name, "second": options.second.name, **found}


def _critiques(options: argparse.Namespace) -> dict[str, Any]:
    by_id = read_critiques(options.critiques)
    critiques, known, left_out, found = [], [], Counter[NoTruth](), 0
    read_all = read(options.solutions, format_of(options.solutions, options.format))
    for solution, truth in truths(read_all):
        if isinstance(truth, NoTruth):
            left_out[truth] += 1
            continue
        found += solution.id in by_id
        # A solution that no critique was written of counts as wrong and is never dropped.
        critiques.append(by_id.get(solution.id, []))
        known.append(truth)
    if not found:
        raise MisstepError(
            f"{options.critiques}: none of its ids is a labelled solution of {options.solutions}, expected the same"
        )
    report = critique_report(critiques, known)
    return {"solutions": options.solutions.name, **report, **_counts(left_out)}


def _counts(left_out: Mapping[NoTruth, int]) -> dict[str, int]:
    """How many solutions were left out, for each reason that there is."""
    return {str(reason): left_out.get(reason, 0) for reason in NoTruth}


def _best_of_n(options: argparse.Namespace) -> dict[str, Any]:
    if options.second_scores and not options.scores:
        raise MisstepError("--second-scores without --scores, expected both")
    files = {"scores": options.scores, "second_scores": options.second_scores}
    found = {source: read_scores(file) for source, file in files.items() if file}
    progress, pools = Progress("problems read"), []
    for pool in read_pools(options.pool, found, options.score_scale):
        pools.append(pool)
        progress.report(len(pools))
    progress.finish(len(pools))
    if not pools:
        raise MisstepError(f"{options.pool}: no problems, expected one a line")
    judged = pools if options.training_problems is None else _not_trained_on(pools, options)
    return {
        "pool": options.pool.name,
        # Null where nobody said what the model was trained on.
        "training_problems_left_out": None if options.training_problems is None else len(pools) - len(judged),
        "problems": len(judged),
        "candidates": sum(len(pool.right) for pool in judged),
        # They have no vote, whether they are wrong or their file names no answers.
        "candidates_without_answer": sum(int((pool.groups < 0).sum()) for pool in judged),
        **(unscored(judged, found["scores"]) if found else {}),
        "rows": table(judged, sizes_of(judged), options.subsamples, seed=options.seed),
        **(_beside_second(judged, found["second_scores"], options.seed) if len(found) > 1 else {}),
    }


def _beside_second(pools: Sequence[Pool], second: Mapping[str, Any], seed: int) -> dict[str, Any]:
    return {
        "second": unscored(pools, second),
        "difference": differences_by_rule(pools, "scores", "second_scores", seed=seed),
    }


def _not_trained_on(pools: Sequence[Pool], options: argparse.Namespace) -> list[Pool]:
    """The problems that no file names as those that a model was trained on.

    Raises MisstepError where none is left, or a line does not say what its problem is.
    """
    known = frozenset[str]().union(*map(named_problems, options.training_problems))
    if unknown := next((pool for pool in pools if pool.problem is None), None):
        raise MisstepError(
            f"{options.pool}: problem {unknown.id} has no text in `problem`, expected it with --training-problems"
        )
    others = [pool for pool in pools if pool.problem not in known]
    if not others:
        named = ", ".join(path.name for path in options.training_problems)
        raise MisstepError(
            f"{options.pool}: all of its {len(pools)} problems stand in {named}, expected others to choose among"
        )
    return others
