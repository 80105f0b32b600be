"""What may come of a request to a policy's server instead of its answer."""

from __future__ import annotations

import json
from typing import Any

from ml.errors import MisstepError, ServerAway

# How much of an answer a message shows.
SHOWN = 500


class OddAnswer(ValueError):
    """An answer that is not what was asked for; the next try may bring another."""


class Refused(MisstepError):
    """The server does not take this request, and would not take it a second time. said: its own words."""

    def __init__(self, message: str, status: int, said: str) -> None:
        self.status, self.said = status, said
        super().__init__(message)


class NoAnswer(ServerAway):
    """There was no answer at any try, or one that says that the server broke over it."""


class Late(NoAnswer):
    """At the last try the whole answer was not there in time."""


class OddlyAnswered(MisstepError):
    """There was an answer at the last try, but not one to what was asked."""


class Unserved(ServerAway):
    """No try of this request was answered, while the same server answered another before and after. is_late: its answer
    was only not there in time."""

    def __init__(self, message: str, is_late: bool = False) -> None:
        self.is_late = is_late
        super().__init__(message)


def shown(answer: dict[str, Any]) -> str:
    """An odd answer for a message."""
    return json.dumps(answer)[:SHOWN]
