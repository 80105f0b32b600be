"""Arguments that are only checked: what the command would exit over is an error that can be told."""

from __future__ import annotations

from typing import NoReturn

from ml.commands.once import OnceParser
from ml.errors import MisstepError


class RefusingParser(OnceParser):
    """Raises MisstepError with the parser's own words, prints no usage and ends no process."""

    def error(self, message: str) -> NoReturn:
        raise MisstepError(message)
