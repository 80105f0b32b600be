"""Test-time search at equal budgets of generated tokens, on held-out pocket problems in prose.

    python -m tests.benchmarks.search_test_time --out docs/results/search_test_time.json

Without options it measures what is published, in some five hours on two shared cores, all but half an hour of it for
the third level; a stopped run goes on. Parts of the problems may be measured by themselves, on several cores or days
(--part, each with an --out of its own), and joined (--join).

The budget of a level is what so many rStar trajectories generate, and every other method's size is such that it
generates about as much. No two spend exactly the same, so each row says what it spent as a ratio to self-consistency,
and its gain is over a vote of its own tokens (`support.vote_curve`). The reward model is trained on automatic labels
(`support.guide`) unless --guide names a checkpoint.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from ml.aggregation import AGGREGATIONS
from ml.answers import is_equivalent
from ml.execution import sandbox
from ml.pocket.problems import generate
from ml.policies import load_policy
from ml.policies.protocol import Policy
from ml.prm.value_model import load_value_model
from ml.records import Problem
from ml.search import several_trees
from ml.search.cost import Cost
from ml.search.requests import Search
from ml.search.solving import METHODS
from ml.search.voting import Candidate, Chosen, best_candidate, vote
from ml.search.walk import ValueModel, Walk
from tests.benchmarks.support.commands import write_json
from tests.benchmarks.support.guide import guide
from tests.benchmarks.support.rows import Table
from tests.benchmarks.support.test_time_rows import COSTS, joined, row
from tests.benchmarks.support.vote_curve import VoteCurve, curve_of, pool_of, read_pool
from tests.data import ROOT

HELD_OUT_SEED = 2026
# Far below the papers' sizes (8 to 64 rollouts of 8 candidates, 50 iterations), so that 64 trajectories of a
# policy this small can be afforded on one core.
TREE = replace(METHODS["rstar"].options, rollouts=5, candidates=2, temperature=0.8)
MCTS = replace(METHODS["mcts-star"].options, candidates=2, look_ahead=1, temperature=0.8)
AT_ONCE = 256
# Samples of each problem from which the curve of the plain vote is made.
POOL = 32
SAMPLED = {"self-consistency", "vote weighted by the PRM"}
Make = Callable[[Problem], Search[Chosen]]
# One search may give several rows, which differ only in how they choose among its candidates.
Choose = Callable[[Chosen], str | None]


@dataclass(frozen=True)
class Sizes:
    """How large each method is at one level: sampled solutions, candidates of both beam searches, thoughts of both kept
    prefixes of tree of thought, and MCTS*'s iterations in each of the level's trees.
    """

    solutions: int
    beams: int
    thoughts: int
    iterations: int


# By level, the number of rStar's trees: what generates about as much as these do, at level 1 by the tokens on 200
# problems, above it as an earlier run had set them on six. How near that comes stands in each row.
SIZES = {1: Sizes(4, 4, 3, 8), 8: Sizes(27, 24, 27, 8), 64: Sizes(218, 216, 218, 8)}


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

    def curve(self, problems: Sequence[Problem], table: Table) -> VoteCurve:
        """The plain vote's curve, from a pool that the table keeps."""
        if "pool" not in table.more:
            plain: Make = lambda p: self.search("self-consistency", p, POOL)  # noqa: E731
            sampled, cost = self.run(problems, plain, self.walk())
            table.write(pool=pool_of(problems, sampled, POOL, cost.tokens / len(problems)).as_json())
        return curve_of(read_pool(table.more["pool"]))

    def rstar(self, problem: Problem, level: int) -> Search[Chosen]:
        return METHODS["rstar"].search(problem, TREE, level, 0, self.style)

    def mcts(self, problem: Problem, iterations: int, level: int) -> Search[Chosen]:
        options = replace(MCTS, rollouts=iterations)
        return METHODS["mcts-star"].search(problem, options, level, 0, self.style)

    def search(self, name: str, problem: Problem, n: int, **chosen: float) -> Search[Chosen]:
        """A method of the command, of this size."""
        method = METHODS[name]
        return method.search(problem, method.sized(n, chosen), n, 0, self.style)

    def methods(self, level: int, sizes: Sizes) -> Iterator[tuple[Make, bool, int, dict[str, Choose]]]:
        """The searches of a level, whether they want signed values, their size, and how their answers are chosen."""
        n, beams, thoughts, iterations = astuple(sizes)
        answer: Choose = lambda chosen: chosen.answer  # noqa: E731
        yield lambda p: self.search("self-consistency", p, n), False, n, {"self-consistency": answer}
        choices: dict[str, Choose] = {f"best of n, {how}": _best(how) for how in AGGREGATIONS}
        choices["vote weighted by the PRM"] = lambda chosen: vote(chosen.candidates, "last", True).answer
        yield lambda p: self.search("best-of-n", p, n), False, n, choices
        yield lambda p: self.search("beam", p, beams), False, beams, {"beam search": answer}
        yield lambda p: self.search("dvts", p, beams), False, beams, {"diverse verifier tree search": answer}
        thought: Make = lambda p: self.search("tree-of-thought", p, thoughts, temperature=0.8)  # noqa: E731
        yield thought, False, thoughts, {"tree of thought": answer}
        mcts: dict[str, Choose] = {"MCTS*": answer}
        tree: dict[str, Choose] = {"rStar": answer}
        if level > several_trees.TOP:
            mcts["MCTS*, all trees vote"] = tree["rStar, all trees vote"] = _all_vote
        yield lambda p: self.mcts(p, iterations, level), False, iterations, mcts
        yield lambda p: self.rstar(p, level), True, level, tree


def _best(how: str) -> Choose:
    return lambda chosen: best_candidate(chosen.candidates, how).answer


def _all_vote(chosen: Chosen) -> str | None:
    return vote([Candidate(c.steps, c.answer) for c in chosen.candidates]).answer


def measure(bench: Bench, problems: Sequence[Problem], level: int, curve: VoteCurve, table: Table) -> None:
    """Every method of a level, with its accuracy, its distance to the plain vote, and its cost."""
    sampling = bench.walk()
    for make, signed, size, choices in bench.methods(level, SIZES[level]):
        if all(table.has(level=level, method=name) for name in choices):
            continue
        # What chooses among samples goes on where self-consistency ended: equal samples, drawn and paid once.
        walk = sampling if SAMPLED & choices.keys() else bench.walk(signed)
        found, cost = bench.run(problems, make, walk)
        costs = {each: getattr(cost, each) / len(problems) for each in COSTS}
        for name, choose in choices.items():
            answers = [choose(chosen) for chosen in found]
            right = [is_equivalent(a, p.answer) for a, p in zip(answers, problems, strict=True)]
            table.add(row(level, name, right, answers.count(None), costs, table.rows, curve, size))


def main(arguments: list[str] | None = None) -> int:
    """Print and write one row after another; rows that --out already has are not measured again."""
    chosen = _options(arguments)
    if chosen.join:
        header = json.loads(chosen.join[0].read_text(encoding="utf-8"))
        write_json(chosen.out, {**header, "part": [0, 1], **joined(chosen.join)})
        return 0
    folder = chosen.guide or guide(ROOT / "var" / "guide")
    values = {signed: load_value_model(folder, signed) for signed in (False, True)}
    bench = Bench(load_policy("pocket"), values, chosen.style)
    problems = generate(chosen.problems, seed=chosen.problems_seed)
    part, parts = chosen.part
    own = problems[part * len(problems) // parts : (part + 1) * len(problems) // parts]
    header = {
        "benchmark": "search_test_time",
        "style": chosen.style,
        "policy": bench.policy.name,
        "value_model": values[False].name,
        "rstar": {"rollouts": TREE.rollouts, "candidates": TREE.candidates},
        "problems": chosen.problems,
        "problems_seed": chosen.problems_seed,
        "part": list(chosen.part),
    }
    print(json.dumps(header), flush=True)
    table = Table(chosen.out, header)
    curve = bench.curve(own, table)
    for level in sorted(chosen.levels):
        measure(bench, own, level, curve, table)
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--problems", type=int, default=200)
    add("--problems-seed", type=int, default=HELD_OUT_SEED, help="another one to try sizes on other problems")
    add("--levels", nargs="+", type=int, default=list(SIZES), choices=SIZES, help="trees of rStar")
    add(
        "--part",
        nargs=2,
        type=int,
        default=(0, 1),
        metavar=("K", "N"),
        help="of N parts of the problems the K-th, from 0",
    )
    add("--join", nargs="+", type=Path, metavar="FILE", help="make one table of those of all parts, in order")
    add("--style", choices=("prose", "code"), default="prose")
    add("--guide", type=Path, help="a checkpoint of python -m ml train")
    add("--out", type=Path, default=ROOT / "var" / "search_test_time.json")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
