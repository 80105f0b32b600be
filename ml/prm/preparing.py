"""What a training run is made from: the rows that it may learn from, an open base, and examples in its tokens."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ml.errors import MisstepError, NothingToLearn
from ml.prm.adapters import experts_of, targets_in
from ml.prm.bases import Base, open_base
from ml.prm.checkpoint import problems_taught
from ml.prm.distributed import Group
from ml.prm.example import NEGATIVE, Example
from ml.prm.identity import refuse_other_command
from ml.prm.long_records import fitting_examples
from ml.prm.out_folder import states_of
from ml.prm.problem_trees import by_problem
from ml.prm.request import (
    Request,
    earlier_models,
    example_settings,
    head_settings,
    language_weight,
    refuse_unsuited_labels,
    with_rule,
)
from ml.prm.second_opinion import disbelieved, key_of, refuse_useless, without
from ml.prm.self_check import refuse_attention_dropout
from ml.prm.training_settings import TrainingSettings
from ml.prm.validation_steps import chosen
from ml.said import Said
from ml.snapshot import Snapshot, SnapshotRow, leaked_problems, problem_hash
from ml.targets import labelled
from ml.targets.rules import doubt_about_shares, refuse_shares_of_ends
from ml.targets.snapshot_rows import search_methods
from ml.training_choices import CLASSIFYING, LEARN_LABELS_OF_STEPS

NO_OUTCOME = (
    "--outcomes reads no solution by its answer, since every one that it could read has labels: `ml snapshot"
    " --keep-unlabelled` keeps those without, and a curve draws none of these"
)


@dataclass(frozen=True)
class Prepared:
    """All that a run needs besides a device.

    request: as it was asked, with the rule of its labels and whose second opinion was had. rows: those to validate on.
    settings: with the updates that the examples make. taught: the problems that the model knows in the end, by hash.
    lora_targets: the base's layers that get an adapter.
    """

    request: Request
    examples: Sequence[Example]
    rows: Sequence[SnapshotRow]
    settings: TrainingSettings
    counts: Mapping[str, int]
    base: Base
    taught: Sequence[str]
    lora_targets: Sequence[str] = ()


def prepare(request: Request, snapshot: Snapshot, group: Group) -> Prepared:
    """Raises MisstepError for labels, a base or records that no run could be made from."""
    request = with_rule(request, snapshot.manifest)
    refuse_unsuited_labels(request)
    if request.second_opinion:
        # Read once: whatever becomes of that folder later, the card names what was asked.
        request = replace(request, opinion_said=request.second_opinion.on_card())
    settings = replace(request.training, language_weight=language_weight(request))
    refuse_other_command(states_of(request.out), snapshot.sha256, request, settings)
    learned, validation = _labelled(snapshot, request)
    if request.second_opinion:
        refuse_useless(request.rule, learned)
    if request.examples.objective in LEARN_LABELS_OF_STEPS:
        methods = search_methods(learned)
        refuse_shares_of_ends(request.rule, methods)
        if group.is_first and (doubt := doubt_about_shares(request.rule, methods)):
            print(f"python -m ml train: {doubt}", file=sys.stderr, flush=True)
    base = _opened(learned, request, group)
    targets = _targets(base, request, group)
    # Read now: those folders may be gone when this run ends.
    taught = problems_taught((problem_hash(row.problem) for row in learned), earlier_models(request))
    counts: Counter[str] = Counter()
    learned = _believed(learned, snapshot, request, group, counts)
    examples = _examples(_drained(learned), base, request, counts)
    if request.examples.outcomes and group.is_first and not counts["solutions_read_by_outcome"]:
        print(f"python -m ml train: {NO_OUTCOME}", file=sys.stderr, flush=True)
    settings = replace(settings, steps=_steps(request, examples))
    rows = chosen(validation, settings.validation_limit)
    return Prepared(request, examples, rows, settings, counts, base, taught, targets)


def _labelled(snapshot: Snapshot, request: Request) -> tuple[list[SnapshotRow], list[SnapshotRow]]:
    """The rows to train on, as many as were asked for, and those to validate on, with the labels that were asked for.

    Raises MisstepError for problems in several splits, and where no row is there to train on.
    """
    rows: Iterable[SnapshotRow] = snapshot if request.use_frozen_labels else labelled(snapshot, request.rule)
    learned: list[SnapshotRow] = []
    validation: list[SnapshotRow] = []
    leaked = leaked_problems(_sorted_out(rows, learned, validation, request.limit))
    if leaked:
        raise MisstepError(f"{len(leaked)} problems stand in more than one split, expected each in one")
    if not learned:
        raise MisstepError(f"{request.snapshot}: no rows in split train, expected at least one")
    return learned, validation


def _sorted_out(
    rows: Iterable[SnapshotRow], learned: list[SnapshotRow], validation: list[SnapshotRow], limit: int | None
) -> Iterator[SnapshotRow]:
    """The rows, once those to train on and to validate on have been kept; the rest of them nobody holds."""
    for row in rows:
        if row.split == "validation":
            validation.append(row)
        elif row.split == "train" and (limit is None or len(learned) < limit):
            learned.append(row)
        yield row


def _drained(rows: list[SnapshotRow]) -> Iterator[SnapshotRow]:
    """The rows, each let go of as it is handed out: a row and the example that is made of it need not both be held."""
    rows.reverse()
    while rows:
        yield rows.pop()


def _opened(rows: Sequence[SnapshotRow], request: Request, group: Group) -> Base:
    """The base with the ends of steps and of the problem that were asked for; what it has to say is said."""
    base = open_base(
        request.base, _texts(rows), head_settings(request), request.training.seed, request.maximum_length,
        request.from_scratch, request.extra_layers, request.is_packed,
    )  # fmt: skip
    if request.is_packed:
        refuse_attention_dropout(base.model, request.device)
    if base.remark and group.is_first:
        print(f"python -m ml train: {base.remark}", file=sys.stderr, flush=True)
    return replace(base, tokenizer=base.tokenizer.laid_out(request.separator, request.problem_end))


def _targets(base: Base, request: Request, group: Group) -> Sequence[str]:
    """The layers that get an adapter, where adapters are trained; what gets none although nobody named layers is said,
    since the experts are most of such a base.

    Raises MisstepError for a base that knows nothing where it would be frozen.
    """
    if not request.lora_rank:
        return ()
    _refuse_frozen_draws(base)
    targets = targets_in(base.model, request.lora_targets)
    experts = [] if request.lora_targets else experts_of(base.model)
    if experts and group.is_first:
        print(
            f"python -m ml train: --lora leaves the base's experts ({', '.join(experts)}) as they are and adapts its"
            f" linear layers: {', '.join(targets)}",
            file=sys.stderr,
            flush=True,
        )
    return targets


def _refuse_frozen_draws(base: Base) -> None:
    """Raises MisstepError for adapters on weights that turn out to be drawn: frozen, they stay as they were drawn."""
    if base.origin["weights"] == "random":
        raise MisstepError(
            f"--lora on random weights (--base {base.origin['name']}), which it would leave random, expected given"
            " weights, or no --lora"
        )


def _texts(rows: Sequence[SnapshotRow]) -> list[str]:
    return [text for row in rows for text in (row.problem, *row.steps)]


def _believed(
    rows: list[SnapshotRow], snapshot: Snapshot, request: Request, group: Group, counts: Counter[str]
) -> list[SnapshotRow]:
    """The rows without what an earlier model cannot believe of rollouts, where one was asked for."""
    if request.second_opinion is None or request.opinion_said is None:
        return rows
    key = key_of(snapshot.sha256, request.rule, request.limit, request.opinion_said)
    found = disbelieved(
        rows,
        request.second_opinion,
        group,
        states_of(request.out) / "second_opinion.json",
        key,
        request.training.tokens_per_row,
    )
    return without(rows, found, counts)


def _examples(
    rows: Iterable[SnapshotRow], base: Base, request: Request, counts: Counter[str]
) -> list[Example]:
    """The examples of the rows that fit; `counts` gains what they are and what became of the rest."""
    examples, fitting = fitting_examples(
        rows, base.tokenizer, request.rule, example_settings(request), request.too_long, counts
    )
    # A union of counters would drop what was counted and found to be none.
    counts["train_rows"], counts["train_examples"] = fitting, len(examples)
    if not examples:
        raise NothingToLearn(
            Said(
                "none of the %(count)s solutions to train on has a target for --objective %(objective)s under the rule"
                " --labels %(labels)s, expected at least one",
                count=fitting,
                objective=request.training.objective,
                labels=request.rule.labels,
            )
        )
    # An outcome is read at tokens, whoever labelled steps.
    read_at = "readings" if request.training.objective == "outcome" else "labelled_steps"
    counts[read_at] = sum(example.readings for example in examples)
    _refuse_one_class(request.training.objective, examples, counts[read_at])
    if request.trees == "problem":
        examples = by_problem(examples, request.examples.weighting, request.training.tokens_per_row)
        counts["train_trees"] = len(examples)
    return examples


def _refuse_one_class(objective: str, examples: Sequence[Example], count: int) -> None:
    """Raises NothingToLearn where a model that always says the same would be perfect: nothing would tell it from one
    that has learned something."""
    if objective not in CLASSIFYING:
        return
    # A neutral step counts as right.
    shares = {target[NEGATIVE] for example in examples for target in example.targets}
    if shares in ({0.0}, {1.0}):
        of = Said("outcomes") if objective == "outcome" else Said("labelled steps")
        raise NothingToLearn(
            Said(
                "all %(count)s %(of)s to train on (%(solutions)s solutions) are %(named)s, expected right and wrong"
                " ones: a model would learn to say the same of everything",
                count=count,
                of=of,
                solutions=len(examples),
                named=Said("right") if 0.0 in shares else Said("wrong"),
            )
        )


def _steps(request: Request, examples: Sequence[Example]) -> int:
    if request.steps is not None:
        return request.steps
    batch = min(request.training.batch_size, max(len(examples), 1))
    return max(1, round(request.epochs * len(examples) / batch))
