"""What an import read and what of it was new, in figures and in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ml.formats.keys import counts_in_words


@dataclass
class ImportSummary:
    """What an import read, and what of it was new."""

    campaign: str
    format: str
    solutions: int = 0
    new_solutions: int = 0
    new_tasks: int = 0
    new_annotations: int = 0
    broken_rules: int = 0
    revised: int = 0
    # Solutions that were there without a word on their answer, and have one now.
    graded: int = 0
    # New ones whose id the campaign had already, under another problem, answer or format.
    doubled: int = 0
    dry_run: bool = False
    new_campaign: bool = False
    campaign_id: int | None = None
    # Keys of the file that its format does not read, with the number of lines; and those kept as they are.
    unread_keys: dict[str, int] = field(default_factory=dict)
    kept_keys: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        verb = "would add" if self.dry_run else "added"
        return (
            f"read {self.solutions} solutions; {verb} {self.new_solutions} solutions,"
            f" {self.new_tasks} tasks and {self.new_annotations} annotations"
            f" ({self.broken_rules} break a label rule) to {'the new campaign ' * self.new_campaign}{self.campaign}"
            + "".join(f"; {told}" for told in (*self._doubled(), *self._put_right(), *self._keys_told()))
        )

    def _doubled(self) -> Iterator[str]:
        if self.doubled:
            yield (
                "with an id that the campaign has under another problem, answer or format, too:"
                f" {self.doubled} of the new tasks"
            )

    def _put_right(self) -> Iterator[str]:
        if self.revised:
            yield f"{'would put' if self.dry_run else 'put'} {self.revised} that were there right"
        if self.graded:
            yield f"{'would grade' if self.dry_run else 'graded'} the answers of {self.graded} that were there"

    def _keys_told(self) -> Iterator[str]:
        if self.kept_keys:
            yield f"kept as metadata: {counts_in_words(self.kept_keys)}"
        if self.unread_keys:
            yield f"not read, so not imported: {counts_in_words(self.unread_keys)}"
