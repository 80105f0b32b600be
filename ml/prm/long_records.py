"""Records with a step that the context cannot hold: all of them named at once, or left out and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ml.prm.example import Example
from ml.prm.examples import ExampleSettings, examples_from
from ml.prm.tokenization import StepTokenizer, TooLong
from ml.snapshot import SnapshotRow
from ml.targets.rules import LabelRule

NAMED = 20


def fitting_examples(
    rows: list[SnapshotRow],
    tokenizer: StepTokenizer,
    rule: LabelRule,
    settings: ExampleSettings,
    too_long: str,
    counts: Counter[str],
) -> tuple[list[Example], list[SnapshotRow]]:
    """The examples and the rows that they are of. too_long: `refuse`, or `drop` for rows that cannot be read.

    Raises TooLong, which names them, where such rows are refused.
    """
    counted: Counter[str] = Counter()
    try:
        examples = examples_from(rows, tokenizer, rule, settings, counted)
    except TooLong as first:
        # Only now is every row looked at: where all fit, nobody waits for that.
        kept = [row for row in rows if not tokenizer.is_too_long(row.problem, row.steps)]
        if too_long == "refuse":
            raise _refusal(rows, kept, tokenizer, first) from None
        counted = Counter(too_long_solutions=len(rows) - len(kept))
        examples, rows = examples_from(kept, tokenizer, rule, settings, counted), kept
    counts.update(counted)
    return examples, rows


def _refusal(
    rows: Sequence[SnapshotRow], kept: Sequence[SnapshotRow], tokenizer: StepTokenizer, first: TooLong
) -> TooLong:
    fitting = {id(row) for row in kept}
    names = [row.id for row in rows if id(row) not in fitting]
    if len(names) == 1:
        return TooLong(f"{first}, or --too-long drop")
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return TooLong(
        f"{len(names)} records have a step that is too long with the problem alone ({', '.join(names[:NAMED])}{more}),"
        f" expected at most the context of {tokenizer.layout.maximum_length} tokens, or --too-long drop"
    )
