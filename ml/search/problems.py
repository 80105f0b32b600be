"""Fresh problems: pocket problems by number, or a JSONL file of questions with their answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ml.answers import extract_final_answer
from ml.errors import BadRecord, MisstepError
from ml.records import Problem

_EXPECTED = 'an object with "problem" (or "question") and "answer"'


def read_problems(source: str, needs_answers: bool = True) -> Iterator[Problem]:
    """The problems of `pocket:N` or of a file; a GSM8K answer is what stands after its ####.

    Raises BadRecord naming file and line, also for a problem without an answer where it `needs_answers`.
    """
    if source.startswith("pocket:"):
        from ml.pocket.problems import from_request

        yield from from_request(source)
        return
    path = Path(source)
    if not path.is_file():
        raise MisstepError(f"{source}: no such file, expected pocket:N or a JSONL file of problems")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _problem(line, source, number, needs_answers)


def _problem(line: bytes, source: str, number: int, needs_answer: bool) -> Problem:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise BadRecord(source, number, f"no JSON ({error})", _EXPECTED) from None
    if not isinstance(record, dict):
        raise BadRecord(source, number, type(record).__name__, _EXPECTED)
    text, answer = record.get("problem", record.get("question")), record.get("answer")
    is_unknown = answer is None and not needs_answer
    if not isinstance(text, str) or not (is_unknown or isinstance(answer, str | int | float)):
        raise BadRecord(source, number, f"keys {', '.join(sorted(record))[:200]}", _EXPECTED)
    identity = str(record.get("id", record.get("unique_id", number)))
    if is_unknown:
        return Problem(identity, text)
    stated = str(answer)
    if "####" in stated:
        stated = extract_final_answer(stated) or stated
    return Problem(identity, text, stated)
