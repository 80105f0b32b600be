"""Fresh problems: pocket problems by number, or a JSONL file of questions with their answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ml.answers_found import extract_final_answer
from ml.errors import BadRecord, MisstepError
from ml.formats import fields
from ml.formats.fields import Record
from ml.formats.identifiers import UsedIds
from ml.formats.lines import Limits, Unreadable, read_objects
from ml.records import Problem


def read_problems(source: str, needs_answers: bool = True) -> Iterator[Problem]:
    """The problems of `pocket:N` or of a file, gzipped or not; a GSM8K answer is what stands after its ####.

    Raises BadRecord naming file and line, also for an id that came before, and for a problem without an answer where it
    `needs_answers`.
    """
    if source.startswith("pocket:"):
        from ml.pocket.problems import from_request

        yield from from_request(source)
        return
    path = Path(source)
    if not path.is_file():
        raise MisstepError(f"{source}: no such file, expected pocket:N or a JSONL file of problems")
    with UsedIds() as used, closing(read_objects(path, source, Limits(), _raise)) as records:
        for line, record in records:
            try:
                problem = _problem(record, line, needs_answers)
                used.refuse_again(problem.id, line)
            except Unreadable as error:
                raise BadRecord(source, line, error.found, error.expected) from None
            yield problem


def _problem(record: Record, line: int, needs_answer: bool) -> Problem:
    text = fields.text(record, _first_of(record, "problem", "question") or "problem")
    answer = fields.short_answer(record, "answer")
    if answer is None and needs_answer:
        raise Unreadable(f"a problem without an answer (keys: {', '.join(record)[:120]})", "an `answer`")
    if answer is not None and "####" in answer:
        answer = extract_final_answer(answer) or answer
    named = _first_of(record, "id", "unique_id")
    return Problem(fields.identity(record, named) if named else str(line), text, answer)


def _first_of(record: Record, *keys: str) -> str | None:
    return next((key for key in keys if key in record), None)


def _raise(error: BadRecord) -> None:
    raise error
