"""What every search writes can be frozen into a snapshot."""

from __future__ import annotations

from typing import Any

import pytest

from ml.search import math_shepherd, omegaprm, rest_mcts, rstar
from ml.search.trajectory import best_trajectory
from ml.snapshot import SnapshotRow
from ml.snapshot_checks import SERIES, complaint_about
from tests.ml.search.toy import ChainPolicy, chain_problem, run

PROBLEM = chain_problem(*range(1, 8))
SEARCHES: dict[str, Any] = {
    "math_shepherd": lambda seed: math_shepherd.search(PROBLEM, math_shepherd.MathShepherd(), seed),
    "omegaprm": lambda seed: omegaprm.search(PROBLEM, omegaprm.OmegaPrm(), seed),
    "rest_mcts": lambda seed: rest_mcts.search(PROBLEM, rest_mcts.RestMcts(), seed),
    "rstar": lambda seed: rstar.search(PROBLEM, rstar.RStar(), seed),
}


@pytest.mark.parametrize("method", SEARCHES)
def test_the_estimates_of_a_search_are_possible_evidence(method):
    seen = 0
    for seed in range(4):
        line = best_trajectory(run(SEARCHES[method](seed), ChainPolicy(0.2)))
        steps, nothing = line["steps"], [None] * len(line["steps"])
        evidence = {name: [step[name] for step in steps] for name in SERIES}
        row = SnapshotRow(
            "a", "p", PROBLEM.text, line["solution"], "train", nothing, nothing, automatic=evidence
        )
        if steps:
            seen += 1
            assert complaint_about(row) is None
    assert seen
