"""Test-time search at equal budgets of generated tokens, on held-out pocket problems in prose.

    python -m tests.benchmarks.search_test_time --out docs/results/search_test_time.json

Parts of the problems may be measured by themselves, on several cores or days (--part, each with an --out of its
own), and joined (--join).

The budget of a level is what so many rStar trajectories generate; every other method's size is set beforehand,
on other problems, so that it generates about as much. What each then really generated, its calls of policy and
reward model, and its wall time stand beside its accuracy. The reward model is trained on automatic labels
(`support.guide`) unless --guide names a checkpoint.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ml.aggregation import AGGREGATIONS
from ml.answers import is_equivalent
from ml.execution import sandbox
from ml.pocket.problems import generate
from ml.policies import load_policy
from ml.policies.protocol import Policy
from ml.prm.value_model import load_value_model
from ml.records import Problem
from ml.search import trajectories
from ml.search.cost import Cost
from ml.search.requests import Search
from ml.search.solving import METHODS
from ml.search.voting import Candidate, Chosen, best_candidate, vote
from ml.search.walk import ValueModel, Walk
from tests.benchmarks.support.commands import write_json
from tests.benchmarks.support.guide import guide
from tests.benchmarks.support.rows import Table
from tests.benchmarks.support.test_time_rows import COSTS, joined, plain_vote, row
from tests.data import ROOT

HELD_OUT_SEED, CALIBRATION_SEED = 2026, 2027
# Far below the papers' sizes (8 to 64 rollouts of 8 candidates, 50 iterations), so that 64 trajectories of a
# policy this small can be afforded on one core.
TREE = replace(METHODS["rstar"].options, rollouts=5, candidates=2, temperature=0.8)
MCTS = replace(METHODS["mcts-star"].options, candidates=2, look_ahead=1, temperature=0.8)
ITERATIONS = (3, 4, 5, 6, 7, 8, 10, 12, 16)
WIDTH = METHODS["beam"].options.width
AT_ONCE = 256
SAMPLED = {"self-consistency", "vote weighted by the PRM"}
Make = Callable[[Problem], Search[Chosen]]
# One search may give several rows, which differ only in how they choose among its candidates.
Choose = Callable[[Chosen], str | None]


@dataclass(frozen=True)
class Sizes:
    """What one trajectory of each kind generates: tokens a problem, and MCTS*'s iterations to match."""

    tree_tokens: float
    solution_tokens: float
    iterations: int

    def solutions(self, level: int) -> int:
        """How many sampled solutions generate what `level` trajectories do."""
        return max(1, round(level * self.tree_tokens / self.solution_tokens))


@dataclass
class Bench:
    """The models and the style of one run."""

    policy: Policy
    values: Mapping[bool, ValueModel]
    style: str

    def walk(self, signed: bool = False) -> Walk:
        """A fresh engine that remembers nothing. Every problem's trees are under way at once."""
        return Walk(self.policy, sandbox(), self.values[signed], parallel=AT_ONCE)

    def run(self, problems: Sequence[Problem], make: Make, walk: Walk) -> tuple[list[Chosen], Cost]:
        """Search every problem over one engine; results in the problems' order, and all that it has cost."""
        found = {done.key: done.result for done in walk.drive((p.id, make(p)) for p in problems)}
        return [found[problem.id] for problem in problems], walk.cost

    def sizes(self, count: int) -> Sizes:
        """Measure what trajectories cost, on problems of their own."""
        problems = generate(count, seed=CALIBRATION_SEED)
        _, tree = self.run(problems, lambda p: self.rstar(p, 1), self.walk(signed=True))
        _, sampled = self.run(problems, lambda p: self.search("self-consistency", p, 4), self.walk())
        tokens = {}
        for iterations in ITERATIONS:
            make: Make = lambda p, n=iterations: self.mcts(p, n, 1)  # type: ignore[misc]  # noqa: E731
            _, cost = self.run(problems, make, self.walk())
            tokens[iterations] = cost.tokens
        nearest = min(tokens, key=lambda iterations: abs(tokens[iterations] - tree.tokens))
        return Sizes(round(tree.tokens / count, 1), round(sampled.tokens / count / 4, 1), nearest)

    def rstar(self, problem: Problem, level: int) -> Search[Chosen]:
        return METHODS["rstar"].search(problem, TREE, level, 0, self.style)

    def mcts(self, problem: Problem, iterations: int, level: int) -> Search[Chosen]:
        options = replace(MCTS, rollouts=iterations)
        return METHODS["mcts-star"].search(problem, options, level, 0, self.style)

    def search(self, name: str, problem: Problem, n: int, **chosen: float) -> Search[Chosen]:
        """A method of the command, of this size."""
        method = METHODS[name]
        return method.search(problem, method.sized(n, chosen), n, 0, self.style)

    def methods(self, level: int, sizes: Sizes) -> Iterator[tuple[Make, bool, dict[str, Choose]]]:
        """The searches of a level, whether they want signed values, and how their answers are chosen."""
        n = sizes.solutions(level)
        beams = max(WIDTH, n - n % WIDTH)
        answer: Choose = lambda chosen: chosen.answer  # noqa: E731
        yield lambda p: self.search("self-consistency", p, n), False, {"self-consistency": answer}
        choices: dict[str, Choose] = {f"best of n, {how}": _best(how) for how in AGGREGATIONS}
        choices["vote weighted by the PRM"] = lambda chosen: vote(chosen.candidates, "last", True).answer
        yield lambda p: self.search("best-of-n", p, n), False, choices
        yield lambda p: self.search("beam", p, beams), False, {"beam search": answer}
        yield lambda p: self.search("dvts", p, beams), False, {"diverse verifier tree search": answer}
        thought: Make = lambda p: self.search("tree-of-thought", p, n, temperature=0.8)  # noqa: E731
        yield thought, False, {"tree of thought": answer}
        mcts: dict[str, Choose] = {"MCTS*": answer}
        tree: dict[str, Choose] = {"rStar": answer}
        if level > trajectories.TOP:
            mcts["MCTS*, all trees vote"] = tree["rStar, all trees vote"] = _all_vote
        yield lambda p: self.mcts(p, sizes.iterations, level), False, mcts
        yield lambda p: self.rstar(p, level), True, tree


def _best(how: str) -> Choose:
    return lambda chosen: best_candidate(chosen.candidates, how).answer


def _all_vote(chosen: Chosen) -> str | None:
    return vote([Candidate(c.steps, c.answer) for c in chosen.candidates]).answer


def measure(bench: Bench, problems: Sequence[Problem], level: int, sizes: Sizes, table: Table) -> None:
    """Every method of a level, with its accuracy, its distance to self-consistency, and its cost."""
    sampling = bench.walk()
    for make, signed, choices in bench.methods(level, sizes):
        if all(table.has(level=level, method=name, problems=len(problems)) for name in choices):
            continue
        # What chooses among samples goes on where self-consistency ended: equal samples, drawn and paid once.
        walk = sampling if SAMPLED & choices.keys() else bench.walk(signed)
        found, cost = bench.run(problems, make, walk)
        for name, choose in choices.items():
            right = [is_equivalent(choose(c), p.answer) for c, p in zip(found, problems, strict=True)]
            plain = plain_vote(table.rows, level, len(problems)) or right
            costs = {each: getattr(cost, each) / len(problems) for each in COSTS}
            table.add(row(level, name, right, plain, costs))


def main(arguments: list[str] | None = None) -> int:
    """Print and write one row after another; rows that --out already has are not measured again."""
    chosen = _options(arguments)
    if chosen.join:
        header = json.loads(chosen.join[0].read_text(encoding="utf-8"))
        write_json(chosen.out, {**header, "part": [0, 1], "rows": joined(chosen.join)})
        return 0
    folder = chosen.guide or guide(ROOT / "var" / "guide")
    values = {signed: load_value_model(folder, signed) for signed in (False, True)}
    bench = Bench(load_policy("pocket"), values, chosen.style)
    sizes = (
        Sizes(*chosen.sizes[:2], int(chosen.sizes[2])) if chosen.sizes else bench.sizes(chosen.calibration)
    )
    problems = generate(chosen.problems, seed=HELD_OUT_SEED)
    header = {
        "benchmark": "search_test_time",
        "style": chosen.style,
        "policy": bench.policy.name,
        "value_model": values[False].name,
        "tokens_a_trajectory": sizes.tree_tokens,
        "tokens_a_solution": sizes.solution_tokens,
        "mcts_iterations": sizes.iterations,
        "rstar": {"rollouts": TREE.rollouts, "candidates": TREE.candidates},
        "part": list(chosen.part),
    }
    print(json.dumps(header), flush=True)
    table = Table(chosen.out, header)
    part, parts = chosen.part
    for name in chosen.levels:
        level, _, limit = name.partition(":")
        asked = problems[: int(limit or len(problems))]
        own = asked[part * len(asked) // parts : (part + 1) * len(asked) // parts]
        measure(bench, own, int(level), sizes, table)
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--problems", type=int, default=200)
    add("--levels", nargs="+", default=["1", "8", "64:25"], help="LEVEL, or LEVEL:only so many problems")
    add(
        "--part",
        nargs=2,
        type=int,
        default=(0, 1),
        metavar=("K", "N"),
        help="of N parts of the problems the K-th",
    )
    add("--join", nargs="+", type=Path, metavar="FILE", help="make one table of those of all parts, in order")
    add("--style", choices=("prose", "code"), default="prose")
    add("--guide", type=Path, help="a checkpoint of python -m ml train")
    add("--calibration", type=int, default=12, help="problems on which sizes are set")
    add(
        "--sizes",
        type=float,
        nargs=3,
        metavar=("TRAJECTORY", "SOLUTION", "ITERATIONS"),
        help="tokens of one trajectory and one solution and MCTS*'s iterations, as an earlier run found them",
    )
    add("--out", type=Path, default=ROOT / "var" / "search_test_time.json")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
