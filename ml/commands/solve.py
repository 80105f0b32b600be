"""`python -m ml solve`: answer problems by test-time search, and say how often that is right and what it costs."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ml.aggregation import AGGREGATIONS
from ml.bounds import ABOVE_ZERO, AMOUNT, WHOLE
from ml.commands import policy_option, set_option
from ml.commands.once import OnceParser, StoreOnce
from ml.commands.parts import add_part, input_settings, part_settings, taken
from ml.commands.solve_refusals import refuse_what_cannot_act
from ml.execution import sandbox
from ml.finished_run import finished_result, keep_result
from ml.json_lines import as_line, storable
from ml.policies import engines_for, load_policy, when_served
from ml.policies.address import without_address
from ml.policies.protocol import Policy
from ml.progress import Progress, print_result
from ml.records import Problem
from ml.search.named_options import read_settings
from ml.search.problems import read_problems
from ml.search.requests import Aside, Search
from ml.search.run_folder import RunFolder, was_served
from ml.search.solved import Setting, SolvedTotals, Verdicts, totals_of, verdicts_of
from ml.search.solving import METHODS, Method, Solved, solve
from ml.search.texts import warnings_of
from ml.search.walk import ValueModel, Walk
from ml.whole_file import refuse_unwritable, whole_file

# What the result line says of how the answers were found.
TOLD = ("method", "policy", "value_model", "trajectories", "parameters", "seed")


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = OnceParser(prog="python -m ml solve", description=__doc__)
    add = arguments.add_argument
    add(
        "--problems",
        action=StoreOnce,
        required=True,
        metavar="pocket:N|FILE",
        help="N problems of the pocket family (pocket:N[:seed=S]), or JSON Lines of problems with or without answers",
    )
    add("--method", required=True, choices=METHODS, metavar="METHOD", help=f"one of {', '.join(METHODS)}")
    policy_option.add_to(arguments)
    add(
        "--value-model",
        metavar="CHECKPOINT",
        help="the process reward model that guides or chooses; every method but self-consistency needs one",
    )
    add(
        "--trajectories",
        type=ABOVE_ZERO,
        default=8,
        metavar="N",
        help="sampled solutions, beams, thoughts at each depth, or trees of mcts-star and rstar (default: %(default)s)",
    )
    add(
        "--aggregation",
        choices=AGGREGATIONS,
        help="how a solution's step scores become one (default: product for a classifier that people's labels taught,"
        " last for others)",
    )
    add(
        "--width",
        type=ABOVE_ZERO,
        metavar="N",
        help="beam, dvts: candidates after each kept prefix (default: 4)",
    )
    add(
        "--rollouts",
        type=ABOVE_ZERO,
        metavar="N",
        help="rollouts of each tree (default: mcts-star 100, rstar 16)",
    )
    add(
        "--candidates",
        type=ABOVE_ZERO,
        metavar="N",
        help="next steps at a node (default: mcts-star 3, rstar 8)",
    )
    add(
        "--depth",
        type=ABOVE_ZERO,
        metavar="N",
        help="steps at most (default: tree-of-thought 8, other searches 16)",
    )
    add(
        "--temperature",
        type=AMOUNT,
        help="sampling temperature (default: 0.8; mcts-star, tree-of-thought 0.7)",
    )
    set_option.add_to(arguments)
    add(
        "--style",
        choices=("prose", "code"),
        default="code",
        help="style of the solutions (default: %(default)s)",
    )
    add("--limit", type=ABOVE_ZERO, metavar="N", help="take only the first N problems (default: all)")
    add_part(arguments)
    add("--seed", type=WHOLE, default=0, help="seed of all draws (default: %(default)s)")
    add("--out", required=True, type=Path, metavar="FILE", help="JSON Lines to write")
    return arguments


def main(argv: list[str]) -> int:
    """Run the command."""
    print_result(SolveRun(parser().parse_args(argv)).execute())
    return 0


@dataclass
class SolveRun:
    """One run: what is asked for. The file appears under its name only when it is whole; until then, each finished
    problem stands in a folder beside it, from which the same command goes on.
    """

    arguments: argparse.Namespace

    def execute(self) -> dict[str, Any]:
        """Search and write; returns the result line."""
        arguments, method = self.arguments, self.method
        self._take_settings()
        refuse_what_cannot_act(arguments, method)
        options = method.sized(arguments.trajectories, vars(arguments))
        problems = self._problems()
        refuse_unwritable(arguments.out, arguments.problems)
        values = self._value_model()
        options = self._read_as_it_learned(options, values)
        beside = arguments.out.with_name(f"{arguments.out.name}.partial")
        policy = load_policy(arguments.policy, engines_for(len(problems)), has_answered=was_served(beside))
        settings = self._settings(options, policy, values, problems)
        with RunFolder(beside, settings).opened() as folder:
            is_done = 0 < len(folder.offsets) == len(problems)
            if (earlier := finished_result(arguments.out, settings, is_done)) is not None:
                return earlier
            when_served(policy, folder.mark_served)
            totals = self._search_missing(problems, options, policy, values, folder)
            with whole_file(arguments.out) as file:
                file.writelines(as_line(kept["line"]) for kept in folder.lines() if "line" in kept)
            for told in warnings_of(totals.texts, policy):
                warnings.warn(told, stacklevel=1)
            result = {
                "out": str(arguments.out),
                **{name: settings[name] for name in TOLD},
                **({"aggregation": options.aggregation} if "aggregation" in method.takes else {}),
                "problems": len(problems),
                **totals.as_json(),
                **({"estimated_tokens": True} if getattr(policy, "estimates_tokens", False) else {}),
            }
            keep_result(arguments.out, settings, result)
        return result

    def _take_settings(self) -> None:
        """What `--set` says stands among the other arguments from here on."""
        method, given = self.arguments.method, set_option.given_otherwise(self.arguments)
        named = read_settings(self.arguments.set or (), self.method.named_options, method, given)
        vars(self.arguments).update(named)

    @property
    def method(self) -> Method:
        return METHODS[self.arguments.method]

    def _problems(self) -> list[Problem]:
        source = self.arguments.problems
        found = read_problems(source, needs_answers=False)
        return taken(found, source, "problems", self.arguments.part, self.arguments.limit)

    def _value_model(self) -> ValueModel | None:
        if self.arguments.value_model is None:
            return None
        # torch is imported only where a checkpoint is asked for.
        from ml.prm.value_model import load_value_model

        return load_value_model(self.arguments.value_model, signed=self.method.is_signed)

    def _read_as_it_learned(self, options: Any, values: ValueModel | None) -> Any:
        """The options with the model's own aggregation, where one is needed and nobody asked for another."""
        if "aggregation" not in self.method.takes or self.arguments.aggregation is not None:
            return options
        return replace(options, aggregation=getattr(values, "usual_aggregation", options.aggregation))

    def _settings(
        self, options: Any, policy: Policy, values: ValueModel | None, problems: Sequence[Problem]
    ) -> dict[str, Any]:
        """What makes two runs the same run."""
        return {
            "method": self.arguments.method,
            "trajectories": self.arguments.trajectories,
            "parameters": asdict(options),
            "policy": policy.name,
            "value_model": values.name if values is not None else None,
            "style": self.arguments.style,
            "seed": self.arguments.seed,
            "input": input_settings(problems),
            **part_settings(self.arguments.part),
        }

    def _search_missing(
        self,
        problems: Sequence[Problem],
        options: Any,
        policy: Policy,
        values: ValueModel | None,
        folder: RunFolder,
    ) -> SolvedTotals:
        """Search what no earlier start has, and keep each problem as it is done; the sums over all."""
        given = self.method, options, self.arguments.trajectories, self.arguments.seed, self.arguments.style
        setting = Setting(
            self.arguments.method,
            without_address(policy.name),
            self.arguments.style,
            values.name if values is not None else None,
            self.method.is_signed,
            options.aggregation if "aggregation" in self.method.takes else None,
            getattr(options, "n", None),
        )
        totals = totals_of(folder.lines())
        progress = Progress("problems", len(problems), begun_at=len(folder.offsets))
        walk, told, earlier = Walk(policy, sandbox(), values), 0.0, replace(totals.cost)

        def report() -> None:
            spent = replace(earlier)
            spent.add(walk.cost)
            progress.report(len(folder.offsets), metrics=totals.metrics(spent))

        # Trees end together and late: what they have cost by now shows that they grow.
        report()
        walk.on_answers = report
        missing: Iterator[tuple[int, Search[tuple[Solved, Verdicts] | None]]] = (
            (index, _judged(problem, solve(problem, *given)))
            for index, problem in enumerate(problems)
            if index not in folder.offsets
        )
        for finished in walk.drive(missing, lambda _: None):
            problem = problems[finished.key]
            if finished.result is None:
                warnings.warn(f"no answer to {problem.id!r}: {finished.unanswered}", stacklevel=1)
                kept: dict[str, Any] = {"unanswered": finished.unanswered}
            else:
                solved, judged = finished.result
                line = setting.line(problem, solved, finished.ungraded, judged)
                kept = {"line": line, "texts": dict(solved.texts)}
            # The time since the last one. A run that ends and goes on forgets only what it took for problems under way.
            elapsed = walk.elapsed
            kept["seconds"], told = elapsed - told, elapsed
            # The readers of this file refuse what cannot be stored.
            folder.add(finished.key, storable(kept))
            totals.add(kept)
            report()
        return totals


def _judged(problem: Problem, search: Search[Solved]) -> Search[tuple[Solved, Verdicts]]:
    """The same search, with whether each of its answers is right. No method has a look at that."""
    solved = yield from search
    verdicts: Verdicts = (yield [Aside(lambda: verdicts_of(problem, solved.chosen))])[0]
    return solved, verdicts
