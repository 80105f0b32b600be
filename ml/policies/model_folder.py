"""A local model's folder with its options, `FOLDER?rows=N&cache=MIB`. Torch-free."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from ml.errors import MisstepError

ROWS = 64
MIB = 2**20
KEPT = 1024 * MIB
# Each option, and the least that it may be.
_OPTIONS = {"rows": 1, "cache": 0}


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder, how many continuations its model writes at once, and how many bytes of keys and values of prompts are
    kept from call to call.
    """

    path: Path
    rows: int = ROWS
    bytes_kept: int = KEPT


def model_folder(spec: str) -> ModelFolder | None:
    """What a policy's name says; None where there is no such folder. Raises MisstepError for an option that there is
    not, and for a number that cannot be.
    """
    if Path(spec).is_dir():
        return ModelFolder(Path(spec))
    folder, mark, query = spec.rpartition("?")
    if not mark or not Path(folder).is_dir():
        return None
    options = urllib.parse.parse_qsl(query, keep_blank_values=True)
    said = dict(options)
    if not said or len(said) < len(options) or not said.keys() <= _OPTIONS.keys():
        raise MisstepError(f"policy {spec!r}: the options {query!r}, expected rows=N, cache=MIB or both")
    numbers = {name: _number(spec, name, value) for name, value in said.items()}
    return ModelFolder(Path(folder), numbers.get("rows", ROWS), numbers.get("cache", KEPT // MIB) * MIB)


def _number(spec: str, name: str, value: str) -> int:
    least = _OPTIONS[name]
    if not (value.isascii() and value.isdecimal() and int(value) >= least):
        raise MisstepError(
            f"policy {spec!r}: {name}={value}, expected a whole number{' above 0' if least else ''}"
        )
    return int(value)
