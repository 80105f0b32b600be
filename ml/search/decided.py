"""Answers on which the graders differ, for people to judge, and what people said: their word counts from then on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml.errors import BadRecord, MisstepError
from ml.records import Problem

# By the problem's text, its reference answer, and the answer that was given.
Decided = Mapping[tuple[str, str | None, str], bool]


def word_on(decided: Decided, problem: Problem, answer: str | None) -> bool | None:
    """Whether people called this answer to this problem right; None where nobody said anything."""
    return None if answer is None else decided.get((problem.text, problem.answer, answer))


def read_decided(path: Path) -> dict[tuple[str, str | None, str], bool]:
    """Lines `{"problem", "reference", "answer", "is_correct"}`. Raises MisstepError where there is no such file, and
    BadRecord for a line that is none, or for a second word on an answer that says the opposite of the first.
    """
    if not path.is_file():
        raise MisstepError(f"{path}: no such file, expected what people said of answers")
    found: dict[tuple[str, str | None, str], bool] = {}
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            expected = 'a line {"problem", "reference", "answer", "is_correct"}'
            try:
                body = json.loads(line)
                key, word = (body["problem"], body["reference"], body["answer"]), body["is_correct"]
            except (ValueError, TypeError, KeyError) as error:
                raise BadRecord(str(path), number, f"unreadable ({error})", expected) from error
            if not isinstance(word, bool) or not all(isinstance(part, str | None) for part in key):
                raise BadRecord(str(path), number, f"{body!r:.80}", expected)
            if found.setdefault(key, word) is not word:
                raise BadRecord(
                    str(path), number, f"answer {key[2]!r} both right and wrong", "one word on it"
                )
    return found


def digest_of(decided: Decided) -> dict[str, Any]:
    """What a run keeps of the words that it was given, to tell it from one that was given others."""
    body = repr(sorted(decided.items(), key=repr)).encode("utf-8", "replace")
    return {"answers": len(decided), "sha256": hashlib.sha256(body).hexdigest()}


def disputed_line(item: str, answers: Mapping[tuple[str | None, str], bool]) -> dict[str, Any] | None:
    """The answers to one item's problem that a person should judge, None where there are none.

    answers: by the reference that they were graded against, which is one for all of a search (the file's, or
    the majority's), and the answer. Its value, is_correct, is math-verify's opinion, which the search went by;
    the strict one is the opposite.
    """
    if not answers:
        return None
    ((reference, _), *_others) = answers
    judged = [{"answer": answer, "is_correct": right} for (_, answer), right in sorted(answers.items())]
    return {"id": item, "reference": reference, "answers": judged}
