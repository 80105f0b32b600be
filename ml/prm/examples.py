"""Snapshot rows to training examples: a packed tree, the nodes that are read, and what each should say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ml.prm.example import Example
from ml.prm.packing import TokenTree, chain
from ml.prm.preferences import PairChoices, preference_examples
from ml.prm.tokenization import StepTokenizer
from ml.prm.tokens import Tokens
from ml.snapshot import SnapshotRow
from ml.targets.rules import LabelRule, is_bad_problem, is_given_up, label_of
from ml.targets.snapshot_rows import is_wrong, last_place_for_alternatives
from ml.targets.values import values_from_labels

_NEUTRAL_TARGET = [0.0, 0.0, 1.0]


@dataclass(frozen=True)
class ExampleSettings:
    """What of the rows becomes examples.

    objective: one of `ml.training_choices.OBJECTIVES`.
    outputs: classes of the classifier: 2, or 3 with neutral as its own.
    outcome_tokens: at which tokens a solution's outcome is read: the `last` one, the last one of each of its `steps`,
        or `all`. For `ml.prm.likelihood`, which reads a solution as one long step: `product` of the whole, or
        `products`, of what there is at each step's end.
    alternatives: whether options beside the trajectory are trained on, or paired.
    weighting: `node` (each node once) or `path` (as often as paths go through it).
    final_pairs, fill_pairs, least_margin, least_edit_distance: which pairs a preference model learns from
        (`ml.prm.preferences.PairChoices`).
    outcomes: a solution without any label of its steps is read as one long step, right when its answer is.
    """

    objective: str = "classifier"
    outputs: int = 2
    outcome_tokens: str = "last"
    alternatives: bool = True
    weighting: str = "node"
    final_pairs: bool = True
    fill_pairs: bool = False
    least_margin: float = 0.0
    least_edit_distance: int = 0
    outcomes: bool = False

    @property
    def pair_choices(self) -> PairChoices:
        """What of these a preference model's pairs go by."""
        return PairChoices(**{name: getattr(self, name) for name in PairChoices.__dataclass_fields__})


def examples_from(
    rows: Iterable[SnapshotRow],
    tokenizer: StepTokenizer,
    rule: LabelRule,
    settings: ExampleSettings,
    counts: Counter[str],
) -> list[Example]:
    """All examples of the rows; `counts` gains what was truncated and what had nothing to teach.

    Raises MisstepError with the record's id for a step that does not fit the context.
    """
    if settings.objective == "preference":
        return preference_examples(rows, tokenizer, rule, settings.pair_choices, counts)
    examples = []
    for row in rows:
        example = _example(row, tokenizer, rule, settings, counts)
        if example is None:
            counts["rows_without_target"] += 1
        else:
            examples.append(example)
    return examples


def _example(
    row: SnapshotRow,
    tokenizer: StepTokenizer,
    rule: LabelRule,
    settings: ExampleSettings,
    counts: Counter[str],
) -> Example | None:
    nodes, cut = tokenizer.solution(row.id, row.problem, row.steps)
    counts["truncated_steps"] += cut
    counts["truncated_solutions"] += bool(cut)
    if settings.objective == "outcome":
        # An outcome read before the solution's end would teach that half a solution has its answer.
        return None if cut or not _has_outcome(row, rule) else _outcome(row, nodes, settings)
    kept = len(nodes) - 1
    if settings.objective == "value":
        values = [None if value is None else [value] for value in _values(row, rule)[:kept]]
        return _with_options(row.id, nodes, values, [], "node")
    targets = [_class_target(row, k, settings.outputs) for k in range(kept)]
    options = _options(row, nodes, rule, settings, tokenizer, counts) if settings.alternatives else []
    options = _without_repeats(options, nodes, targets, counts)
    example = _with_options(row.id, nodes, targets, options, settings.weighting)
    if example is None and settings.outcomes and not cut and _has_outcome(row, rule):
        counts["solutions_read_by_outcome"] += 1
        return _product(row, nodes)
    return example


def _has_outcome(row: SnapshotRow, rule: LabelRule) -> bool:
    """Whether the answer was graded, against a reference that nobody reported as bad."""
    is_reported = rule.labels != "automatic" and is_bad_problem(row.human)
    return row.is_correct is not None and not is_reported


def _values(row: SnapshotRow, rule: LabelRule) -> Sequence[float | None]:
    """The search's own quality values where the labels are the search's, else those that the labels imply.

    Where people gave up, the solution may end before its answer, and its steps do not tell how far that is.
    """
    own = (row.automatic or {}).get("quality_value")
    automatic = all(source in ("automatic", None) for source in row.label_source)
    if own and automatic and any(value is not None for value in own):
        return [v if label is not None else None for v, label in zip(own, row.labels, strict=True)]
    if is_given_up(row.human) and not automatic:
        return [None] * len(row.labels)
    return values_from_labels(row.labels, [is_wrong(row, k, rule) for k in range(len(row.labels))])


def _class_target(row: SnapshotRow, position: int, outputs: int) -> list[float] | None:
    label = row.labels[position]
    if label is None:
        return None
    ratings = (row.human or {}).get("ratings") or []
    neutral = outputs == 3 and row.label_source[position] == "human" and position < len(ratings)
    if neutral and ratings[position] == 0:
        return _NEUTRAL_TARGET
    return _target(label, outputs)


# Most labels are 0 or 1: all steps that say the same share a list.
@lru_cache(maxsize=1024)
def _target(label: float, outputs: int) -> list[float]:
    return [1.0 - label, label] + [0.0] * (outputs - 2)


def _options(
    row: SnapshotRow,
    nodes: list[Tokens],
    rule: LabelRule,
    settings: ExampleSettings,
    tokenizer: StepTokenizer,
    counts: Counter[str],
) -> list[tuple[int, Tokens, list[float]]]:
    """Rated alternatives as (position, tokens, target), where no mistake is known in their prefix.

    One that does not fit the context behind its prefix is left out and counted.
    """
    if rule.labels == "automatic":
        return []
    kept = len(nodes) - 1
    last = last_place_for_alternatives(row, rule)
    found = []
    for option in row.options:
        rating, position = option.get("rating"), option["position"]
        if rating is None or position > last or not option["text"].strip():
            continue
        if rating == 0 and settings.outputs == 3:
            target = _NEUTRAL_TARGET
        else:
            label = label_of(rating, rule.neutral)
            if label is None:
                continue
            target = _target(label, settings.outputs)
        if position > kept or not tokenizer.fits(nodes[: position + 1], option["text"]):
            counts["truncated_alternatives"] += 1
            continue
        found.append((position, tokenizer.step(option["text"]), target))
    return found


def _without_repeats(
    options: Sequence[tuple[int, Tokens, list[float]]],
    nodes: Sequence[Tokens],
    targets: Sequence[list[float] | None],
    counts: Counter[str],
) -> list[tuple[int, Tokens, list[float]]]:
    """The options without those that say a labelled step of the trajectory, or an earlier option, over again: the
    same step would have two labels. They are counted."""
    known = {(k, nodes[k + 1].tobytes()) for k, target in enumerate(targets) if target is not None}
    kept = []
    for position, step, target in options:
        key = (position, step.tobytes())
        if key not in known:
            known.add(key)
            kept.append((position, step, target))
    counts["repeated_alternatives"] += len(options) - len(kept)
    return kept


def _with_options(
    name: str,
    nodes: list[Tokens],
    targets: Sequence[list[float] | None],
    options: Sequence[tuple[int, Tokens, list[float]]],
    weighting: str,
) -> Example | None:
    """The trajectory as far as it is supervised, and the options as leaves beside it."""
    last = max([k for k, target in enumerate(targets) if target is not None], default=-1)
    last = max([last, *(position - 1 for position, _, _ in options)])
    tokens, parents = list(nodes[: last + 2]), list(range(-1, last + 1))
    reads = [k + 1 for k in range(last + 1) if targets[k] is not None]
    wanted = [target for target in targets[: last + 1] if target is not None]
    paths = [1.0 + sum(position >= read for position, _, _ in options) for read in reads]
    for position, step, target in options:
        tokens.append(step)
        parents.append(position)
        reads.append(len(tokens) - 1)
        wanted.append(target)
        paths.append(1.0)
    if not reads:
        return None
    weights = paths if weighting == "path" else [1.0] * len(reads)
    return Example(name, TokenTree(tokens, parents), reads, wanted, weights)


def _outcome(row: SnapshotRow, nodes: list[Tokens], settings: ExampleSettings) -> Example:
    if settings.outcome_tokens == "product":
        return _product(row, nodes)
    reads_tokens = settings.outcome_tokens == "all"
    reads_one = reads_tokens or settings.outcome_tokens == "last"
    reads = [len(nodes) - 1] if reads_one else list(range(1, len(nodes)))
    targets, weights = [_outcome_target(row)] * len(reads), [1.0 / len(reads)] * len(reads)
    reads_paths = settings.outcome_tokens == "products"
    return Example(
        row.id, chain(nodes), reads, targets, weights, reads_paths=reads_paths, reads_tokens=reads_tokens
    )


def _product(row: SnapshotRow, nodes: list[Tokens]) -> Example:
    """The whole solution as one step, whose tokens' chances are multiplied."""
    return Example(row.id, chain(nodes), [len(nodes) - 1], [_outcome_target(row)], [1.0], reads_paths=True)


def _outcome_target(row: SnapshotRow) -> list[float]:
    return _target(float(bool(row.is_correct)), 2)
