"""Two models on the same solutions: how much more often one finds the first mistake, and how sure that is.

The interval is a 95 % bootstrap over problems that draws both models' outcomes together: what makes a problem easy for
both falls out, so it is narrower than two intervals side by side, and it is the one that says whether they differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.agreement import FEWEST_PROBLEMS
from ml.errors import MisstepError
from ml.evaluation.first_mistake import metric
from ml.evaluation.first_mistake_figures import MEASURES, intervals_of, shares, sums_by_problem
from ml.evaluation.outcomes import NONE, RULES, Outcome


def differences(
    first: Mapping[str, Outcome], second: Mapping[str, Outcome], rules: Sequence[str] = RULES
) -> dict[str, Any]:
    """The first model's figures less the second's by each of the rules, on the solutions that both judged by it.

    A rule that no solution has in both is None. Solutions that only one of them judged, or whose first mistake was
    another when the other model was judged, are left out and counted. Raises MisstepError where none is left, or where
    an id stands for two problems.
    """
    shared = [name for name in first if name in second]
    if strangers := [name for name in shared if first[name].problem != second[name].problem]:
        raise MisstepError(
            f"{len(strangers)} ids name another problem in the second file ({', '.join(strangers[:5])}),"
            " expected outcomes on the same solutions"
        )
    alike = [name for name in shared if first[name].first_mistake == second[name].first_mistake]
    if not alike:
        raise MisstepError(
            "the two files have no solution in common, expected outcomes on the same solutions"
        )
    return {
        "judged_by_one_alone": len(first) + len(second) - 2 * len(shared),
        "with_another_label": len(shared) - len(alike),
        **{rule: _difference(rule, alike, first, second) for rule in rules},
    }


def _difference(
    rule: str, names: Sequence[str], first: Mapping[str, Outcome], second: Mapping[str, Outcome]
) -> dict[str, Any] | None:
    names = [name for name in names if rule in first[name].said and rule in second[name].said]
    if not names:
        return None
    problems = [first[name].problem for name in names]
    truths = [_or_none(first[name].first_mistake) for name in names]
    said = [[_or_none(each[name].said[rule]) for name in names] for each in (first, second)]
    sums = [sums_by_problem(one, truths, problems) for one in said]
    return {
        "count": len(names),
        "problems": len(sums[0]),
        "first": metric(said[0], truths),
        "second": metric(said[1], truths),
        "difference": dict(zip(MEASURES, gains(*sums), strict=True)),
        # Of few problems it may have no width, and would seem to show more than chance.
        "intervals": intervals_of(gains, *sums)
        if len(sums[0]) >= FEWEST_PROBLEMS
        else dict.fromkeys(MEASURES),
    }


def gains(one: NDArray[np.int64], other: NDArray[np.int64]) -> tuple[float | None, ...]:
    """The measures of a draw of problems, the second model's taken from the first's; None for what it cannot show."""
    return tuple(
        None if mine is None or theirs is None else mine - theirs
        for mine, theirs in zip(shares(one), shares(other), strict=True)
    )


def _or_none(position: int) -> int | None:
    return None if position == NONE else position
