"""A local model's folder with its options, `FOLDER?rows=N&cache=MIB&max_tokens=N ...`. Torch-free."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from ml.errors import MisstepError

ROWS = 64
MIB = 2**20
KEPT = 1024 * MIB
LONGEST_STEP = 300
LONGEST_COMPLETION = 1024
# Each whole number, and the least that it may be.
_NUMBERS = {"rows": 1, "cache": 0, "max_tokens": 1, "max_step_tokens": 1}
_EXPECTED = "rows=N, cache=MIB, max_tokens=N, max_step_tokens=N and top_p=SHARE, each once at most"


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder, how many continuations its model writes at once, and how many bytes of keys and values of prompts are
    kept from call to call. max_tokens: of a completion. max_step_tokens: of a step. top_p: draws are from the likeliest
    tokens that have this share of the distribution together.
    """

    path: Path
    rows: int = ROWS
    bytes_kept: int = KEPT
    max_tokens: int = LONGEST_COMPLETION
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
    if not said or len(said) < len(options) or not said.keys() <= {*_NUMBERS, "top_p"}:
        raise MisstepError(f"policy {spec!r}: the options {query!r}, expected {_EXPECTED}")
    numbers = {name: _number(spec, name, said[name]) for name in _NUMBERS if name in said}
    if "cache" in numbers:
        numbers["bytes_kept"] = numbers.pop("cache") * MIB
    return ModelFolder(Path(folder), **numbers, top_p=_share(spec, "top_p", said.get("top_p", "1")))


def refuse_adapter(folder: Path) -> None:
    """Raises MisstepError for an adapter alone: transformers would look for its base wherever a file names it."""
    if (folder / "adapter_config.json").exists() and not (folder / "config.json").exists():
        raise MisstepError(
            f"{folder} is an adapter without its base, expected a whole model (peft's merge_and_unload makes one)"
        )


def _number(spec: str, name: str, value: str) -> int:
    least = _NUMBERS[name]
    if not (value.isascii() and value.isdecimal() and int(value) >= least):
        raise MisstepError(
            f"policy {spec!r}: {name}={value}, expected a whole number{' above 0' if least else ''}"
        )
    return int(value)


def _share(spec: str, name: str, value: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise MisstepError(f"policy {spec!r}: {name}={value}, expected a number above 0 and up to 1")
    return share
