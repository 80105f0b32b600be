"""From rows to examples in one pass: texts are tokenised many at once, and records with a step that the context cannot
hold are named all at once, or left out and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from ml.prm.example import Example
from ml.prm.examples import ExampleSettings, examples_from
from ml.prm.tokenization import StepTokenizer, TooLong
from ml.snapshot import SnapshotRow
from ml.targets.rules import LabelRule

NAMED = 20
# Rows whose texts are tokenised at once: enough for every core, and few enough that the tokenizer remembers them all.
ROWS_AT_ONCE = 256


def fitting_examples(
    rows: Iterable[SnapshotRow],
    tokenizer: StepTokenizer,
    rule: LabelRule,
    settings: ExampleSettings,
    too_long: str,
    counts: Counter[str],
) -> tuple[list[Example], int]:
    """The examples, and how many rows they are of. too_long: `refuse`, or `drop` for rows that cannot be read.

    Rows are asked for when their turn comes, and are not kept. Raises TooLong, which names them, where rows that cannot
    be read are refused.
    """
    counted: Counter[str] = Counter()
    sieve = _Sieve(tokenizer)
    read = _read_ahead(rows, tokenizer, _reads_alternatives(rule, settings))
    examples = examples_from(sieve.fitting(read), tokenizer, rule, settings, counted)
    if sieve.names and too_long == "refuse":
        raise sieve.refusal()
    if sieve.names:
        counts["too_long_solutions"] += len(sieve.names)
    counts.update(counted)
    return examples, sieve.passed


class _Sieve:
    """Lets the rows through that can be read, counts them, and remembers the names of the others."""

    def __init__(self, tokenizer: StepTokenizer) -> None:
        self.tokenizer, self.passed = tokenizer, 0
        self.names: list[str] = []
        # What is wrong with the first of them.
        self._found = (0, 0)

    def fitting(self, rows: Iterable[SnapshotRow]) -> Iterator[SnapshotRow]:
        """The rows without those whose step does not fit even alone behind the problem."""
        for row in rows:
            found = self.tokenizer.too_long(self.tokenizer.problem(row.problem), row.steps)
            if found is None:
                self.passed += 1
                yield row
                continue
            self._found = self._found if self.names else found
            self.names.append(row.id)

    def refusal(self) -> TooLong:
        """An error that names the rows that did not pass."""
        if len(self.names) == 1:
            return TooLong(f"{self.tokenizer.refusal(self.names[0], *self._found)}, or --too-long drop")
        more = f" and {len(self.names) - NAMED} more" if len(self.names) > NAMED else ""
        return TooLong(
            f"{len(self.names)} records have a step that is too long with the problem alone"
            f" ({', '.join(self.names[:NAMED])}{more}), expected at most the context of"
            f" {self.tokenizer.layout.maximum_length} tokens, or --too-long drop"
        )


def _read_ahead(
    rows: Iterable[SnapshotRow], tokenizer: StepTokenizer, with_alternatives: bool
) -> Iterator[SnapshotRow]:
    """The rows, each after its texts have been tokenised with its neighbours'."""
    waiting = iter(rows)
    while window := list(islice(waiting, ROWS_AT_ONCE)):
        steps = [step for row in window for step in row.steps]
        if with_alternatives:
            steps += [option["text"] for row in window for option in row.options]
        tokenizer.read_ahead([row.problem for row in window], steps)
        # From the end, so that a row is let go of before the next one comes.
        window.reverse()
        while window:
            yield window.pop()


def _reads_alternatives(rule: LabelRule, settings: ExampleSettings) -> bool:
    """Whether options beside the trajectory may be among what the examples are made of."""
    if settings.objective == "classifier":
        return settings.alternatives and rule.labels != "automatic"
    return settings.alternatives and settings.objective == "preference"
