"""The first few solutions of an uploaded file as a page shows them, and the first lines that are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from labelsite.annotations.import_refusals import ErrorLog
from labelsite.annotations.known_answers import IMPORTED
from labelsite.annotations.models import FinishReason
from labelsite.annotations.uploads import Upload
from labelsite.wording import translated
from ml import formats
from ml.errors import BadRecord
from ml.formats import label_rules
from ml.formats.keys import counts_in_words
from ml.records import LabelledSolution

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Words

SHOWN = 10
# Among so many rows a preview looks for what may change the meaning of those that it shows.
ROWS_AHEAD = 1_000
# `ml.formats.label_rules`, and docs/labelling.md.
RULES: Mapping[str, Words] = {
    "gap_in_ratings": _("a step before the last rated one has no rating"),
    "rated_after_the_first_mistake": _("steps after the first mistake are rated"),
    "found_error_without_mistake": _("ends at a mistake, and its last rating is no −1"),
    "solution_with_mistake": _("says that there is no mistake, and rates a step −1"),
    "solution_not_finished": _("says that there is no mistake, and not every step is rated"),
    "exit_with_mistake": _("gives up or calls the problem bad, and rates a step −1"),
    "no_reason": _("gives no reason"),
}


class _EnoughErrors(Exception):
    pass


@dataclass(frozen=True, slots=True)
class PreviewStep:
    position: int
    text: str
    rating: int | None
    alternatives: int


@dataclass(frozen=True, slots=True)
class PreviewSolution:
    """One solution as the page shows it."""

    line: int
    id: str
    problem: str
    answer: str | None
    final_answer: str | None
    is_correct: bool | None
    steps: list[PreviewStep]
    finish_reason: str
    broken_rule: str
    labeler: str


@dataclass(frozen=True, slots=True)
class Preview:
    solutions: list[PreviewSolution]
    errors: list[BadRecord]
    # Of the lines that were looked at: keys that the format does not read, and those kept as they are.
    unread_keys: str
    kept_keys: str


def preview(upload: Upload, format: str) -> Preview:
    """Read until ten solutions or twenty bad lines were seen, so that it takes no longer for a large file."""
    log = ErrorLog()

    def note(error: BadRecord) -> None:
        log.add(error)
        if log.count == 20:
            raise _EnoughErrors

    solutions: list[PreviewSolution] = []
    keys = formats.KeyLog()
    try:
        records = formats.read(
            upload.path,
            format,
            on_error=note,
            name=upload.name,
            limits=formats.Limits(rows_ahead=ROWS_AHEAD),
            keys=keys,
        )
        solutions.extend(map(_shown, islice(records, SHOWN)))
    except _EnoughErrors:
        # Twenty say enough: most likely the file has another format.
        pass
    return Preview(
        solutions, list(map(_in_words, log.first)), counts_in_words(keys.unread), counts_in_words(keys.kept)
    )


def _in_words(error: BadRecord) -> BadRecord:
    return BadRecord(error.file, error.line, translated(error.found), translated(error.expected))


def _shown(labelled: LabelledSolution) -> PreviewSolution:
    solution, annotation = labelled.solution, labelled.annotation
    ratings = label_rules.trajectory_ratings(solution, annotation) if annotation else []
    steps = [
        PreviewStep(
            index,
            position.options[position.chosen].text,
            ratings[index] if ratings else None,
            len(position.options) - 1,
        )
        for index, position in enumerate(solution.positions)
        if position.chosen is not None
    ]
    return PreviewSolution(
        labelled.line,
        solution.id,
        solution.problem.text,
        solution.problem.answer,
        solution.final_answer,
        solution.is_correct,
        steps,
        str(FinishReason(annotation.finish_reason).label) if annotation else "",
        str(RULES.get(labelled.broken_rule, labelled.broken_rule)),
        annotation.labeler.removeprefix(IMPORTED) if annotation else "",
    )
