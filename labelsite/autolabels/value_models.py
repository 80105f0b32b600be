"""Which checkpoints a search may be guided by.

Checkpoints live in an app further right, which offers them here when it is ready: this app asks, and imports nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from ml.errors import MisstepError

# Without a word the newest ones, to choose among; with a sha256 the one that has it, however old it is.
Source = Callable[[str | None], Sequence["ValueModel"]]
SHA256 = re.compile("[0-9a-f]{64}")
_sources: list[Source] = []


@dataclass(frozen=True, slots=True)
class ValueModel:
    """A registered checkpoint. place: its folder, as a job's command line has it."""

    sha256: str
    name: str
    place: str

    def __str__(self) -> str:
        return f"{self.name} · {self.sha256[:8]}"


def offer(source: Source) -> None:
    """Let searches choose among what `source` returns, the newest first; it is asked each time."""
    if source not in _sources:
        _sources.append(source)


def offered() -> list[ValueModel]:
    return [model for source in _sources for model in source(None)]


def place_of(named: str) -> str:
    """The folder of a checkpoint by its sha256; any other text is a folder on the worker already.

    Raises MisstepError for the sha256 of a checkpoint that is not here, which would be a folder that nobody has.
    """
    found = _found(named)
    if found is None and SHA256.fullmatch(named):
        raise MisstepError(_("value_model: there is no checkpoint %(sha256)s here") % {"sha256": named})
    return found.place if found else named


def name_of(named: str) -> str:
    """What a page calls it."""
    return str(_found(named) or named)


def _found(named: str) -> ValueModel | None:
    return next((model for source in _sources for model in source(named)), None)
