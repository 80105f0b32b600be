"""`python -m ml autolabel`: estimate the steps of given solutions, or search fresh problems."""

from __future__ import annotations

import argparse
import platform
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ml.code_version import code_version
from ml.commands.autolabel_options import STYLE, VOTERS, parser
from ml.commands.autolabel_refusals import (
    gradable,
    refuse_a_critic_that_cannot_answer,
    refuse_what_cannot_act,
)
from ml.commands.parts import input_settings, part_settings, taken
from ml.commands.set_option import given_otherwise
from ml.errors import MisstepError, NotAvailable
from ml.execution import level_of, sandbox
from ml.execution.rstar_output import RStarOutput
from ml.finished_run import tell_finished
from ml.policies import engines_for, load_policy, rollout_style, when_served
from ml.policies.protocol import Policy
from ml.progress import Progress, print_result
from ml.records import Problem, Solution, SolutionEstimate
from ml.search.consensus import estimate_by_consensus
from ml.search.decided import Decided, digest_of, disputed_line, read_decided
from ml.search.grading import style_of
from ml.search.item_lines import line_of, without_estimate
from ml.search.meter import Meter
from ml.search.named_options import FRESH, GIVEN, refuse_what_waits
from ml.search.pairs import PairRules
from ml.search.problems import read_problems
from ml.search.recipes import GUIDED, RECIPES, Recipe, pair_rules, read_named
from ml.search.requests import Search
from ml.search.run_folder import RunFolder, was_served
from ml.search.texts import warnings_of
from ml.search.totals import Totals
from ml.search.tree import Tree, lowest_q
from ml.search.walk import ValueModel, Walk

Item = Solution | Problem


def main(argv: list[str]) -> int:
    """Run the command; see `RunFolder` for what a killed run leaves and how the next one goes on."""
    arguments = parser().parse_args(argv)
    if arguments.method not in RECIPES:
        raise NotAvailable(
            f"method {arguments.method!r} is not available, expected one of {', '.join(RECIPES)}"
        )
    if arguments.problems and arguments.reference != "answer":
        expected = "--solutions (a fresh problem's tree is graded against its answer)"
        raise MisstepError(f"--reference {arguments.reference} with --problems, expected {expected}")
    print_result(AutolabelRun(arguments).execute())
    return 0


@dataclass
class AutolabelRun:
    """One run: what it reads, what it asks, and what it has found so far."""

    arguments: argparse.Namespace
    totals: Totals = field(default_factory=Totals)
    value_model: ValueModel | None = None
    decided: Decided = field(default_factory=dict)
    pairs: PairRules = field(default_factory=PairRules)

    def execute(self) -> dict[str, Any]:
        """Read, search, write; returns the result line."""
        recipe = RECIPES[self.arguments.method]
        options = self._options(recipe)
        items = self._items()
        if self.arguments.decided is not None:
            self.decided = read_decided(Path(self.arguments.decided))
        out = Path(self.arguments.out)
        policy = load_policy(self.arguments.policy, engines_for(len(items)), has_answered=was_served(out))
        refuse_a_critic_that_cannot_answer(options, policy)
        self.value_model = self._load_value_model()
        self.totals.lowest_q = lowest_q(self.arguments.method)
        folder = RunFolder(out, self._settings(options, policy.name, items))
        if (earlier := folder.finished_run()) is not None:
            tell_finished(out)
            return _result(earlier, self.arguments.out)
        for line in folder.open():
            self.totals.add(line)
        for spent in folder.spent_before():
            self.totals.spend(spent)
        when_served(policy, folder.mark_served)
        try:
            self._search(recipe, options, policy, items, folder)
        except BaseException:
            folder.close()
            raise
        for told in warnings_of(self.totals.texts, policy):
            warnings.warn(told, stacklevel=1)
        run = self._run_record(folder.settings, len(items))
        trees = {"tree": "trees.jsonl", "pairs": "pairs.jsonl"} if self.arguments.problems else {}
        disputed = {"disputed": "disputed_answers.jsonl"} if self.totals.disputed_answers else {}
        unanswered = {"unanswered": "unanswered.jsonl"} if self.totals.unanswered else {}
        folder.finish(run, {"estimate": "estimates.jsonl"} | trees | disputed | unanswered)
        return _result(run, self.arguments.out)

    @property
    def _acts_on(self) -> str:
        return GIVEN if self.arguments.solutions else FRESH

    def _options(self, recipe: Recipe) -> Any:
        """The method's options as they were given, each of which can act; and the rules of pairs."""
        arguments = self.arguments
        named = read_named(
            arguments.method,
            self._acts_on,
            arguments.set or (),
            given_otherwise(arguments),
        )
        told = vars(arguments) | {"style": self._rollout_style()} | self._guidance() | named
        options = recipe.with_options(told)
        refuse_what_cannot_act(arguments, options)
        refuse_what_waits(named, options)
        self.pairs = pair_rules(named)
        return options

    def _search(
        self, recipe: Recipe, options: Any, policy: Policy, items: Sequence[Item], folder: RunFolder
    ) -> None:
        unit = "solutions" if self.arguments.solutions else "problems"
        progress = Progress(unit, len(items), begun_at=len(folder.offsets))
        parallel = self.arguments.parallel_trees
        runs = RStarOutput(sandbox()) if self.arguments.rstar_output_format else sandbox()
        walk = Walk(policy, runs, self.value_model, parallel, decided=self.decided)
        missing = ((index, item) for index, item in enumerate(items) if index not in folder.offsets)
        meter = Meter(walk, sandbox())

        def report() -> None:
            progress.report(len(folder.offsets), metrics=self.totals.metrics(meter.unread()))

        # Trees end together and late: what they have cost by now shows that they grow.
        report()
        walk.on_answers = report
        searches = ((index, self._start(recipe, options, item)) for index, item in missing)
        style, method = self._style, self.arguments.method
        with meter.handing_on(folder.keep_spent):
            for finished in walk.drive(searches, lambda index: without_estimate(items[index], style, method)):
                name = items[finished.key].id
                line = line_of(finished.result, method, options, self.pairs, finished.levels) | meter.read()
                line["disputed"] = disputed_line(name, finished.disputed)
                line["decided"] = len(finished.decided)
                line["ungraded"] = finished.ungraded
                if finished.unanswered:
                    line["unanswered"] = {"id": name, "why": finished.unanswered}
                    warnings.warn(f"no estimate of {name!r}: {finished.unanswered}", stacklevel=1)
                folder.add(finished.key, line)
                self.totals.add(line)
                report()

    def _start(self, recipe: Recipe, options: Any, item: Item) -> Search[SolutionEstimate | Tree]:
        seed = self.arguments.seed
        if isinstance(item, Solution):
            if self.arguments.reference == "answer":
                return recipe.estimate(item, options, seed)
            return estimate_by_consensus(
                item,
                lambda blind: recipe.estimate(blind, options, seed),
                self._voters,
                seed,
                options.style or style_of(item.steps),
                options.temperature,
            )
        return recipe.search(item, options, seed, self._style)

    def _items(self) -> list[Solution] | list[Problem]:
        given = self.arguments
        if given.solutions:
            return taken(self._solutions(), str(given.solutions), "solutions", given.part, given.limit)
        return taken(read_problems(given.problems), given.problems, "problems", given.part, given.limit)

    def _solutions(self) -> Iterator[Solution]:
        from ml import formats

        path = self.arguments.solutions
        if not Path(path).is_file():
            raise MisstepError(f"{path}: no such file, expected solutions to estimate")
        labelled = formats.read(path, formats.format_of(path, self.arguments.format))
        if self.arguments.reference == "answer":
            labelled = gradable(labelled, str(path))
        yield from formats.solutions(labelled)

    def _guidance(self) -> dict[str, bool]:
        """Which of the method's options a value model switches on."""
        if self.arguments.value_model is None:
            return {}
        if self.arguments.method not in GUIDED:
            expected = f"--method {' or '.join(GUIDED)}"
            raise MisstepError(f"--value-model with {self.arguments.method}, expected {expected}")
        return {GUIDED[self.arguments.method]: True}

    def _load_value_model(self) -> ValueModel | None:
        if self.arguments.value_model is None:
            return None
        # torch is imported only where a checkpoint is asked for.
        from ml.prm.value_model import load_value_model

        return load_value_model(self.arguments.value_model, signed=self.arguments.method == "rstar")

    def _rollout_style(self) -> str | None:
        """None where rollouts go on in the style of the steps before them."""
        if self.arguments.problems:
            return None
        chosen = self.arguments.continuation_style or rollout_style(self.arguments.policy)
        return None if chosen == "as-given" else chosen

    @property
    def _style(self) -> str:
        """Of fresh problems' solutions."""
        return str(self.arguments.style or STYLE)

    @property
    def _voters(self) -> int:
        return int(self.arguments.voters or VOTERS)

    def _reference(self) -> str:
        chosen: str = self.arguments.reference
        return chosen if chosen == "answer" else f"{chosen} of {self._voters}"

    def _settings(self, options: Any, policy: str, items: list[Any]) -> dict[str, Any]:
        return {
            "method": self.arguments.method,
            "parameters": asdict(options) | (asdict(self.pairs) if self.arguments.problems else {}),
            "style": self._style if self.arguments.problems else None,
            "reference": self._reference(),
            "policy": policy,
            "value_model": self.value_model.name if self.value_model else None,
            "seed": self.arguments.seed,
            "input": input_settings(items),
            **part_settings(self.arguments.part),
            "rstar_output_format": self.arguments.rstar_output_format,
            # Another word on an answer makes another run, and a file without any makes none.
            "decided": digest_of(self.decided) if self.decided else None,
        }

    def _run_record(self, settings: dict[str, Any], count: int) -> dict[str, Any]:
        return {
            "method": self.arguments.method,
            "parameters": settings["parameters"],
            "reference": settings["reference"],
            "policy": settings["policy"],
            "value_model": settings["value_model"],
            "seed": self.arguments.seed,
            "code_version": code_version(),
            "python": platform.python_version(),
            "sandbox_level": level_of(self.totals.sandbox_executions),
            "sandbox_executions": dict(self.totals.sandbox_executions),
            "cost": self.totals.cost.as_json(),
            **({"estimated_tokens": True} if self.totals.estimated_tokens else {}),
            "counts": {"items": count} | self.totals.counts(),
            "mean_q": self.totals.mean_q,
            "settings": settings,
        }


def _result(run: dict[str, Any], out: str) -> dict[str, Any]:
    return {"out": out, **{key: run[key] for key in ("method", "policy", "seed", "counts", "cost", "mean_q")}}
