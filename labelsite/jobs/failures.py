"""Why an attempt of a job ended, in the reader's language. The row keeps it in English, as the program said it,
and with it the words of a refusal that can be said in other languages (`ml.said`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labelsite.wording import sayable
from ml.errors import MisstepError
from ml.said import Said

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Words

LONGEST = 10_000
# How `services._retry_or_fail` counts the attempts.
ATTEMPT = re.compile(r" \(attempt (?P<attempt>\d+) of (?P<most>\d+)\)$")
# What the runner itself says, and around which the child's own last words may stand: see `child` and `services`.
SAID: Sequence[tuple[re.Pattern[str], Words]] = [
    (re.compile(pattern, re.DOTALL), words)
    for pattern, words in (
        (
            "the process that ran it has vanished",
            gettext_lazy("The process that ran it has vanished: it was killed, or its machine went down."),
        ),
        (
            "the child process was ended by SIGKILL: (?P<detail>.*)",
            gettext_lazy("The system killed its process, most often because memory ran out."),
        ),
        (
            "the child process was ended by (?P<signal>SIG[A-Z0-9]+): (?P<detail>.*)",
            gettext_lazy("The system ended its process (%(signal)s)."),
        ),
        (
            r"the child process was told to stop \(SIGTERM\): (?P<detail>.*)",
            gettext_lazy("Its process was told to stop."),
        ),
        (
            r"the child process ended with status (?P<status>\d+)",
            gettext_lazy("Its process ended with status %(status)s and without a word."),
        ),
        (
            r"process (?P<process>\d+) of an earlier attempt does not end",
            gettext_lazy("Process %(process)s of an earlier attempt does not end."),
        ),
        (
            "there is no task '(?P<task>[^']*)' in this version",
            gettext_lazy("This version of the site does not know the work %(task)s."),
        ),
        ("the database: (?P<detail>.*)", gettext_lazy("The database failed.")),
    )
]


@dataclass(frozen=True, slots=True)
class Failure:
    """A sentence for the reader, and below it what the program said in English; empty where the sentence is all."""

    said: str
    detail: str


def said_by(refusal: Exception) -> str:
    """The message of what ended an attempt."""
    if isinstance(refusal, ValidationError):
        return "; ".join(refusal.messages)
    return refusal.as_said if isinstance(refusal, MisstepError) else str(refusal)


def as_columns(error: str) -> dict[str, Any]:
    """An error as a job's row keeps it."""
    return {"error": error[:LONGEST], "refusal": sayable(error) if isinstance(error, Said) else None}


def failure(error: str) -> Failure:
    counted = ATTEMPT.search(error)
    text = error[: counted.start()] if counted else error
    failed = _in_words(text) or Failure(_("The program's own words:"), text)
    if counted is None:
        return failed
    return Failure(
        f"{failed.said} {_('(attempt %(attempt)s of %(most)s)') % counted.groupdict()}", failed.detail
    )


def _in_words(text: str) -> Failure | None:
    for pattern, words in SAID:
        if found := pattern.fullmatch(text):
            values = found.groupdict()
            return Failure(str(words) % values, (values.get("detail") or "").strip())
    return None
