"""The options of `python -m ml autolabel`."""

from __future__ import annotations

import argparse

from ml.bounds import ABOVE_ZERO, AMOUNT, BELOW_ONE, WHOLE
from ml.commands import policy_option, set_option
from ml.commands.once import OnceParser, StoreOnce
from ml.commands.parts import add_part
from ml.search.named_options import GIVEN
from ml.search.recipes import RECIPES, usual
from ml.search.walk import LEAST_PARALLEL

DESCRIPTION = "`python -m ml autolabel`: estimate the steps of given solutions, or search fresh problems."
# Where nobody says it: how many solutions vote, and the style of fresh problems' solutions.
VOTERS, STYLE = 32, "code"


def parser(kind: type[argparse.ArgumentParser] = OnceParser) -> argparse.ArgumentParser:
    """The command's arguments, as a parser of this kind."""
    arguments = kind(prog="python -m ml autolabel", description=DESCRIPTION)
    rollouts = ", ".join(f"{method} {count}" for method, count in usual("rollouts", GIVEN).items())
    source = arguments.add_mutually_exclusive_group(required=True)
    source.add_argument("--solutions", action=StoreOnce, metavar="FILE", help="given solutions to estimate")
    source.add_argument(
        "--problems",
        action=StoreOnce,
        metavar="pocket:N|FILE",
        help="fresh problems to search: N of the pocket family, or JSON Lines of problems with answers",
    )
    arguments.add_argument(
        "--format", help="format of --solutions (default: guessed from its first line); see docs/formats.md"
    )
    arguments.add_argument(
        "--method", default="math-shepherd", help=f"{', '.join(RECIPES)} (default: %(default)s)"
    )
    policy_option.add_to(arguments)
    arguments.add_argument(
        "--value-model",
        action=StoreOnce,
        metavar="CHECKPOINT",
        help="checkpoint that guides the search: rstar's preference model (rounds 3-4), rest-mcts's value model",
    )
    arguments.add_argument(
        "--rollouts",
        type=ABOVE_ZERO,
        help=f"rollouts from each prefix, or per tree (default: {rollouts})",
    )
    arguments.add_argument(
        "--candidates",
        type=ABOVE_ZERO,
        help="next steps tried at a node (default: rstar 8, rest-mcts 3); of math-shepherd, solutions sampled to a"
        " fresh problem (default: 15)",
    )
    arguments.add_argument(
        "--depth",
        type=ABOVE_ZERO,
        help="most steps behind the problem, or behind a prefix of a given solution, there never fewer than the"
        " solution has (rstar and rest-mcts; default: 16)",
    )
    arguments.add_argument(
        "--searches",
        type=ABOVE_ZERO,
        help="most binary searches on a fresh problem (default: omegaprm 100)",
    )
    arguments.add_argument(
        "--self-critic",
        choices=("phrase", "ask"),
        help="what ends a solution in rest-mcts's search: a step that states an answer, or the policy, which is asked"
        " (default: phrase)",
    )
    arguments.add_argument(
        "--temperature", type=AMOUNT, help="sampling temperature (default: 0.8, rest-mcts 0.7)"
    )
    arguments.add_argument(
        "--threshold",
        type=BELOW_ONE,
        metavar="SHARE",
        help="call a step the first mistake when its success rate is at most this (default: 0)",
    )
    arguments.add_argument(
        "--luck",
        type=BELOW_ONE,
        metavar="SHARE",
        help="also call a step the first mistake when its success rate is at most this times the best before it"
        " (default: 0.1, omegaprm 0)",
    )
    set_option.add_to(arguments)
    arguments.add_argument(
        "--style",
        choices=("prose", "code"),
        help=f"style of fresh problems' solutions (default: {STYLE})",
    )
    arguments.add_argument(
        "--continuation-style",
        choices=("prose", "code", "as-given"),
        help="style of rollouts after given steps (default: as-given; for the pocket policy code, also after prose)",
    )
    arguments.add_argument(
        "--reference",
        choices=("answer", "self-consistency"),
        default="answer",
        help="what given solutions' rollouts are graded against: the file's answer, or the policy's majority"
        " (default: %(default)s)",
    )
    arguments.add_argument(
        "--voters",
        type=ABOVE_ZERO,
        help=f"solutions that vote with --reference self-consistency (default: {VOTERS})",
    )
    arguments.add_argument(
        "--decided",
        metavar="FILE",
        help='JSON Lines {"problem", "reference", "answer", "is_correct"} of what people said of answers',
    )
    arguments.add_argument(
        "--rstar-output-format",
        action="store_true",
        help="read what code prints as rStar-Math's public program does, rounded to 4 decimals and cut at 1,024"
        " characters; for comparisons with it only",
    )
    arguments.add_argument(
        "--limit", type=ABOVE_ZERO, metavar="N", help="take only the first N (default: all)"
    )
    add_part(arguments)
    arguments.add_argument(
        "--parallel-trees",
        type=ABOVE_ZERO,
        metavar="N",
        help="solutions or problems worked on at a time, for larger batches"
        f" (default: {LEAST_PARALLEL}, or a server's concurrency where that is more)",
    )
    arguments.add_argument("--seed", type=WHOLE, default=0, help="seed of all draws (default: %(default)s)")
    arguments.add_argument(
        "--out", required=True, metavar="DIR", help="folder to write; the same command resumes there"
    )
    return arguments
