"""Which checkpoints a search may be guided by.

Checkpoints live in an app further right, which offers them here when it is ready: this app asks, and imports nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Source = Callable[[], Sequence["ValueModel"]]
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
    return [model for source in _sources for model in source()]


def place_of(named: str) -> str:
    """The folder of a checkpoint by its sha256; any other text is a folder on the worker already."""
    return next((model.place for model in offered() if model.sha256 == named), named)


def name_of(named: str) -> str:
    """What a page calls it."""
    return next((str(model) for model in offered() if model.sha256 == named), named)
