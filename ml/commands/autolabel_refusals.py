"""Options of `python -m ml autolabel` that a run could not act on: each is refused, and none passed over."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from typing import Any

from ml.errors import BadRecord, MisstepError
from ml.policies.protocol import Policy
from ml.records import LabelledSolution
from ml.search.named_options import FRESH, GIVEN, idle_options
from ml.search.recipes import OF_SOME_METHODS
from ml.search.self_critic import ASK


def refuse_what_cannot_act(arguments: argparse.Namespace, options: Any) -> None:
    """Raises MisstepError for an option that the method does not have, or that does nothing for its kind of input."""
    source, other = ("--solutions", "--problems") if arguments.solutions else ("--problems", "--solutions")
    idle = idle_options(options, GIVEN if arguments.solutions else FRESH)
    for name in OF_SOME_METHODS:
        if getattr(arguments, name) is None:
            continue
        option = f"--{name.replace('_', '-')}"
        if not hasattr(options, name):
            expected = f"a method that has it (not {arguments.method})"
            raise MisstepError(f"{option} with {arguments.method}, expected {expected}")
        if name in idle:
            expected = f"{other} ({arguments.method} uses it there only)"
            raise MisstepError(f"{option} with {source}, expected {expected}")
    if arguments.voters is not None and arguments.reference == "answer":
        raise MisstepError("--voters with --reference answer, expected --reference self-consistency")
    if arguments.problems and arguments.continuation_style:
        expected = "--style (fresh problems' rollouts are in their solutions' style)"
        raise MisstepError(f"--continuation-style with --problems, expected {expected}")
    if arguments.problems and arguments.format:
        raise MisstepError("--format with --problems, expected --solutions FILE, which has one")
    if arguments.solutions and arguments.style:
        expected = (
            "--continuation-style (given solutions have their style; only their rollouts may have another)"
        )
        raise MisstepError(f"--style with --solutions, expected {expected}")


def refuse_a_critic_that_cannot_answer(options: Any, policy: Policy) -> None:
    """Raises MisstepError where the self-critic is to ask a policy that writes nothing but steps."""
    only_writes_steps = getattr(policy, "only_writes_steps", getattr(policy, "family", "") == "pocket")
    if getattr(options, "self_critic", None) == ASK and only_writes_steps:
        expected = "a model that answers questions: the pocket policy only writes steps"
        raise MisstepError(f"--self-critic ask with {policy.name}, expected {expected}")


def gradable(labelled: Iterable[LabelledSolution], file: str) -> Iterator[LabelledSolution]:
    """The same; raises BadRecord where there is no answer to grade rollouts against."""
    for found in labelled:
        if found.solution.problem.answer is None:
            expected = "one to grade rollouts against, or --reference self-consistency"
            raise BadRecord(file, found.line, "a problem without a reference answer", expected)
        yield found
