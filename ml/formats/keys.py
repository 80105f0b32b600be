"""Which keys of a file a format passes over: told to whoever imports it, so that nothing is lost in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType

from ml.formats.fields import Record

# A file may name its keys by its data; no message needs more of them than these, or longer ones.
MOST_NAMES = 50
LONGEST_NAME = 60
OTHERS = "..."
LIST = "[]."


@dataclass
class KeyLog:
    """How often each key stood in the lines read so far that the format does not read, or keeps as it is."""

    unread: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)

    def note(self, module: ModuleType, record: Record) -> None:
        """Count the keys of one line. A format without READS uses or keeps every key of it. One that reads values key
        by key otherwise than in a list tells by `unread_inside` which of theirs it passes over.
        """
        if hasattr(module, "unread_inside"):
            for key in module.unread_inside(record):
                _count(self.unread, key)
        reads: frozenset[str] | None = getattr(module, "READS", None)
        if reads is None:
            return
        log = self.kept if getattr(module, "KEEPS_OTHERS", False) else self.unread
        for key in record.keys() - reads:
            _count(log, key)
        for name in _lists(reads) & record.keys():
            for key in _inside(record, name):
                if key not in reads:
                    _count(self.unread, key)


def others(record: Record, reads: frozenset[str]) -> dict[str, object]:
    """What a line says beside the keys that its format reads, as it stands there."""
    return {key: value for key, value in record.items() if key not in reads}


def _lists(reads: frozenset[str]) -> set[str]:
    """The keys whose values are lists of objects that are read key by key: `solutions` of `solutions[].steps`."""
    return {key.partition(LIST)[0] for key in reads if LIST in key}


def _inside(record: Record, name: str) -> Iterator[str]:
    for entry in record[name] or ():
        if isinstance(entry, dict):
            yield from (f"{name}{LIST}{key}" for key in entry)


def _count(log: Counter[str], key: str) -> None:
    name = key if len(key) <= LONGEST_NAME else f"{key[: LONGEST_NAME - 3]}..."
    log[name if name in log or len(log) < MOST_NAMES else OTHERS] += 1


def counts_in_words(counts: Mapping[str, int]) -> str:
    """`foo (3), bar (1)`: the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} ({count})" for name, count in ordered)
