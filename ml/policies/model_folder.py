"""A local model's folder with its options, `FOLDER?rows=N&cache=MIB&max_tokens=N ...`. Torch-free."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.bounds import ABOVE_ZERO, UP_TO_ONE, WHOLE
from ml.errors import MisstepError

MIB = 2**20
LONGEST_STEP = 300
_OPTIONS = {
    "rows": ABOVE_ZERO, "cache": WHOLE, "max_tokens": ABOVE_ZERO, "max_step_tokens": ABOVE_ZERO, "top_p": UP_TO_ONE,
}  # fmt: skip
_EXPECTED = "rows=N, cache=MIB, max_tokens=N, max_step_tokens=N and top_p=SHARE, each once at most"


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder, how many continuations its model writes at once, and how many bytes of keys and values of prompts are
    kept from call to call. max_tokens: of a completion. max_step_tokens: of a step. top_p: draws are from the likeliest
    tokens that have this share of the distribution together.
    """

    path: Path
    rows: int = 64
    bytes_kept: int = 1024 * MIB
    max_tokens: int = 1024
    max_step_tokens: int = LONGEST_STEP
    top_p: float = 1.0

    def said(self) -> dict[str, str]:
        """The options that change what is written, where they are not the usual ones: a policy's name has them."""
        usual = ModelFolder(self.path)
        names = ("max_tokens", "max_step_tokens", "top_p")
        return {
            name: f"{getattr(self, name):g}" for name in names if getattr(self, name) != getattr(usual, name)
        }


def model_folder(spec: str) -> ModelFolder | None:
    """What a policy's name says; None where there is no such folder. Raises MisstepError for an option that there is
    not, and for a number that cannot be, and for an adapter.
    """
    if Path(spec).is_dir():
        refuse_adapter(Path(spec))
        return ModelFolder(Path(spec))
    folder, mark, query = spec.rpartition("?")
    if not mark or not Path(folder).is_dir():
        return None
    refuse_adapter(Path(folder))
    options = urllib.parse.parse_qsl(query, keep_blank_values=True)
    said = dict(options)
    if not said or len(said) < len(options) or not said.keys() <= _OPTIONS.keys():
        raise MisstepError(f"policy {spec!r}: the options {query!r}, expected {_EXPECTED}")
    numbers: dict[str, Any] = {}
    for name, value in said.items():
        try:
            numbers[name] = _OPTIONS[name].read(value)
        except ValueError as expected:
            raise MisstepError(f"policy {spec!r}: {name}={value}, expected {expected}") from None
    if "cache" in numbers:
        numbers["bytes_kept"] = numbers.pop("cache") * MIB
    return ModelFolder(Path(folder), **numbers)


def refuse_adapter(folder: Path) -> None:
    """Raises MisstepError for an adapter alone: transformers would look for its base wherever a file names it."""
    if (folder / "adapter_config.json").exists() and not (folder / "config.json").exists():
        raise MisstepError(
            f"{folder} is an adapter without its base, expected a whole model (peft's merge_and_unload makes one)"
        )


def refuse_lacking(folder: str | Path, lacking: Iterable[str], expected: str) -> None:
    """Raises MisstepError for weights that a folder lacks: transformers draws them without a word, and drawn ones say
    anything."""
    if names := sorted(lacking)[:3]:
        raise MisstepError(f"{folder} has no {', '.join(names)}, expected {expected}")
