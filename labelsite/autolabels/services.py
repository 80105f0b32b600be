"""Starts runs that judge steps by machine. What a run needs to be made again stands in its row.

A large set is cut into shards, one job each, so that a run spreads over as many workers and hosts as listen
on the queue. `loading.py` joins them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from labelsite.accounts.models import User
from labelsite.autolabels.disputes import lines_of, words_on
from labelsite.autolabels.models import EstimateRun, ScoreRun, Shard
from labelsite.autolabels.parameters import method_in_words
from labelsite.jobs.models import Job
from labelsite.jobs.services import cancel, enqueue
from labelsite.problems.models import Problem, Solution
from labelsite.problems.queries import as_records, with_steps
from ml.errors import MisstepError
from ml.policies.address import EXPECTED, addresses_of, fault_of
from ml.search.named_options import FRESH, GIVEN, as_text
from ml.search.recipes import RECIPES, read_named
from ml.whole_file import write_lines

ESTIMATE_TASK = "labelsite.autolabels.tasks.run_estimates"
SCORE_TASK = "labelsite.autolabels.tasks.run_scores"
# Small enough that a lost worker costs minutes, large enough that loading a policy does not dominate.
SHARD_SIZE = 500
# What a form or a script may set of a method, by its name on the command line; the method's other options by theirs.
OPTIONS = (
    "candidates", "depth", "searches", "temperature", "threshold", "luck", "style", "continuation-style",
    "value-model", "reference", "voters",
)  # fmt: skip

# Where the child finds what people said of answers that the graders judge differently.
DECIDED = ("--decided", "{in}/decided.jsonl")


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask of a policy: the method, how many rollouts, and the method's other options, public code's variants
    among them. acts_on: given solutions or fresh problems.
    """

    method: str = "math-shepherd"
    policy: str = "pocket"
    rollouts: int = 16
    seed: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    acts_on: str = GIVEN

    def __post_init__(self) -> None:
        refuse_address(self.policy)
        if self.method not in RECIPES:
            raise MisstepError(f"method {self.method!r}, expected one of {', '.join(RECIPES)}")
        otherwise = {"rollouts", *(name.replace("-", "_") for name in self.parameters if name in OPTIONS)}
        try:
            read_named(self.method, self.acts_on, self._named(), otherwise)
        except MisstepError as refusal:
            raise MisstepError(f"{refusal}; or some of {', '.join(OPTIONS)}") from None

    def arguments(self) -> list[str]:
        """The request as arguments of `python -m ml autolabel`."""
        named = {"method": self.method, "policy": self.policy, "rollouts": self.rollouts, "seed": self.seed}
        given = {**named, **{name: value for name, value in self.parameters.items() if name in OPTIONS}}
        own = [part for name, value in given.items() for part in (f"--{name}", str(value))]
        return [*own, *(part for setting in self._named() for part in ("--set", setting))]

    def _named(self) -> list[str]:
        """What `--set` is to say: the parameters that are options of the method by their own names."""
        named = {name: value for name, value in self.parameters.items() if name not in OPTIONS}
        return [f"{name}={as_text(value)}" for name, value in named.items()]


def refuse_address(policy: str) -> None:
    """Refuse what `_refuse_one_address` does, in each of several servers' addresses."""
    for address in addresses_of(policy):
        _refuse_one_address(address)


def _refuse_one_address(policy: str) -> None:
    """Raise MisstepError for an address that no request can be sent to, and for one with a password, which would end
    up on pages and in exported files. Whether somebody answers there, only the worker can tell.
    """
    try:
        parts = urlsplit(policy)
    except ValueError:
        raise MisstepError(_("An address that can be read, please.")) from None
    if parts.username or parts.password:
        raise MisstepError(_("An address without a password in it, please."))
    if "://" in policy and fault_of(policy):
        raise MisstepError(_("An address like %(example)s, please.") % {"example": EXPECTED})


def start_estimates(
    solutions: QuerySet[Solution],
    method: str = "math-shepherd",
    policy: str = "pocket",
    rollouts: int = 16,
    seed: int = 0,
    parameters: Mapping[str, Any] | None = None,
    created_by: User | None = None,
    name: str = "",
    shard_size: int = SHARD_SIZE,
    task_name: str = ESTIMATE_TASK,
    spec: Mapping[str, Any] | None = None,
) -> EstimateRun:
    """Let rollouts judge every step of the given solutions, as one job or as many.

    Solutions of problems without a reference answer are left out: rollouts are graded against it. So are those
    without a step, which no command reads. `task_name` and `spec` let an app further right load the results its
    own way. Raises MisstepError when none is left.
    """
    request = Request(method, policy, rollouts, seed, parameters or {})
    gradable = with_steps(solutions).filter(problem__answer__isnull=False).order_by("pk")
    ids = list(gradable.values_list("pk", flat=True))
    if not ids:
        raise MisstepError(
            _("no solution with a step whose problem has a reference answer, expected at least one")
        )
    source = ["--solutions", "{in}/solutions.jsonl", "--format", "records"]
    title = name or _("%(method)s over %(count)s solutions") % {
        "method": method_in_words(method),
        "count": len(ids),
    }
    return _start_run(
        request,
        title,
        "solutions",
        ids,
        source,
        shard_size=shard_size,
        created_by=created_by,
        task_name=task_name,
        spec=spec,
    )


def start_search(
    problems: QuerySet[Problem],
    method: str = "rstar",
    policy: str = "pocket",
    rollouts: int = 16,
    seed: int = 0,
    parameters: Mapping[str, Any] | None = None,
    created_by: User | None = None,
    name: str = "",
    shard_size: int = SHARD_SIZE,
) -> EstimateRun:
    """Search fresh problems; the run's trees are kept. Raises MisstepError when no problem has an answer."""
    request = Request(method, policy, rollouts, seed, parameters or {}, FRESH)
    gradable = problems.filter(answer__isnull=False).order_by("pk")
    ids = list(gradable.values_list("pk", flat=True))
    if not ids:
        raise MisstepError(_("no problem with a reference answer, expected at least one"))
    title = name or _("%(method)s search of %(count)s problems") % {
        "method": method_in_words(method),
        "count": len(ids),
    }
    source = ["--problems", "{in}/problems.jsonl"]
    return _start_run(request, title, "problems", ids, source, shard_size=shard_size, created_by=created_by)


def start_scores(
    solutions: QuerySet[Solution],
    checkpoint_folder: str | Path,
    checkpoint_sha256: str,
    created_by: User | None = None,
    name: str = "",
    task_name: str = SCORE_TASK,
    spec: Mapping[str, Any] | None = None,
) -> ScoreRun:
    """Let a checkpoint score every step of the given solutions. Raises MisstepError when no solution has a step."""
    ids = list(with_steps(solutions).order_by("pk").values_list("pk", flat=True))
    if not ids:
        raise MisstepError(_("no solution with a step to score, expected at least one"))
    title = name or _("scores of %(count)s solutions") % {"count": len(ids)}
    source = ["--solutions", "{in}/solutions.jsonl", "--format", "records", "--out", "{out}/scores.jsonl"]
    with transaction.atomic():
        job = enqueue(
            kind="ml",
            verb="score",
            spec={
                **(spec or {}),
                "solutions": ids,
                "arguments": ["--checkpoint", str(checkpoint_folder), "--device", "auto", *source],
            },
            queue="gpu",
            created_by=created_by,
            task_name=task_name,
            title=title,
        )
        return ScoreRun.objects.create(name=title[:120], job=job, checkpoint_sha256=checkpoint_sha256)


def cancel_run(run: EstimateRun) -> None:
    """Ask every job of the run to end; what finished shards brought stays."""
    for shard in run.shards.select_related("job").defer("job__spec", "job__result"):
        cancel(shard.job)


def prepare_input(job: Job, folder: Path) -> None:
    """Write the job's solutions or problems for the child to read; called at the start of every attempt."""
    if "decided" in job.spec:
        write_lines(folder / "decided.jsonl", lines_of(job.spec["decided"]))
    if "problems" in job.spec:
        problems = Problem.objects.filter(pk__in=job.spec["problems"]).order_by("pk")
        rows: Iterable[Mapping[str, Any]] = (
            {"id": str(problem.pk), "problem": problem.text, "answer": problem.answer} for problem in problems
        )
        write_lines(folder / "problems.jsonl", rows)
        return
    solutions = Solution.objects.filter(pk__in=job.spec["solutions"]).order_by("pk")
    write_lines(
        folder / "solutions.jsonl",
        (
            {
                "id": record.id,
                "problem": record.problem.text,
                "answer": record.problem.answer,
                "steps": list(record.steps),
                "final_answer": record.final_answer,
                "is_correct": record.is_correct,
            }
            for record in as_records(solutions)
        ),
    )


def _start_run(
    request: Request,
    title: str,
    kind: str,
    ids: Sequence[int],
    source: Sequence[str],
    *,
    shard_size: int,
    created_by: User | None,
    task_name: str = ESTIMATE_TASK,
    spec: Mapping[str, Any] | None = None,
) -> EstimateRun:
    parts = [ids[start : start + shard_size] for start in range(0, len(ids), shard_size)]
    with transaction.atomic():
        run = EstimateRun.objects.create(
            name=title[:120],
            method=request.method,
            policy=request.policy,
            parameters={"rollouts": request.rollouts, **request.parameters},
            seed=request.seed,
        )
        for number, part in enumerate(parts):
            job = enqueue(
                kind="ml",
                verb="autolabel",
                spec={**(spec or {}), **_spec_of(kind, part, [*source, *request.arguments()])},
                created_by=created_by,
                task_name=task_name,
                title=title if len(parts) == 1 else f"{title} · {number + 1}/{len(parts)}",
            )
            Shard.objects.create(run=run, number=number, job=job, size=len(part))
            if number == 0:
                run.job = job
        run.save(update_fields=["job"])
    return run


def _spec_of(kind: str, part: Sequence[int], arguments: Sequence[str]) -> dict[str, Any]:
    """What one job is to do with its part of the run's solutions or problems, and people's word on their answers."""
    words = words_on(part if kind == "problems" else _problems_of(part))
    decided = {"decided": words} if words else {}
    return {
        **decided,
        kind: part,
        "arguments": [*arguments, *(DECIDED if words else ()), "--out", "{out}"],
    }


def _problems_of(solutions: Sequence[int]) -> QuerySet[Solution, int]:
    return Solution.objects.filter(pk__in=solutions).order_by().values_list("problem", flat=True)
