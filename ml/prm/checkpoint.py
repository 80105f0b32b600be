"""Training states that survive a kill at any moment, and finished checkpoints that are whole or absent.

A state is written into a folder beside its place, every file and the folder are synced, a manifest with
sha256 of each file is added last, and the folder is renamed. Loading verifies the manifest and falls back
to the state before when it does not hold. Only safetensors and JSON are written or read.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ml.errors import MisstepError
from ml.file_hash import sha256_of
from ml.snapshot import read_problem_hashes
from ml.whole_folder import sync

KEPT_STATES = 2
MANIFEST = "manifest.json"
PROBLEMS = "training_problems.txt"
OS_ERROR = re.compile(r"\(os error (\d+)\)")


def problems_taught(own: Iterable[str], earlier: Iterable[Path]) -> list[str]:
    """The problems (by hash) that a model knows: its own, and those of the earlier checkpoints that it goes on from or
    that chose its labels. A folder that is none, or does not say, adds nothing."""
    known = set(own)
    for folder in earlier:
        known |= read_problem_hashes(folder / PROBLEMS)
    return sorted(known)


def write_story(folder: Path, card: Mapping[str, Any], taught: Iterable[str]) -> None:
    """What a checkpoint says of itself: its card, and the problems that it knows."""
    (folder / PROBLEMS).write_text("\n".join(taught) + "\n", encoding="utf-8")
    (folder / "card.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@contextmanager
def refused_by_the_system(folder: Path) -> Iterator[None]:
    """Tells a full disk as Python does: safetensors and tokenizers say it in exceptions of their own, by its number."""
    try:
        yield
    except Exception as error:
        number = OS_ERROR.search(str(error))
        if number is None or isinstance(error, OSError):
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(folder)) from error


@dataclass(frozen=True)
class TrainingState:
    """All that a run needs to go on: `body` is JSON (step, history, fingerprint), `tensors` the rest."""

    step: int
    body: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]


def save_state(folder: Path, state: TrainingState) -> Path:
    """Write one state whole; keep the last two.

    One of a later update is torn, or nothing could go on from it: else this run would have.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"step-{state.step:08d}"
    partial = folder / f"partial-{state.step:08d}"
    for killed in folder.glob("partial-*"):
        shutil.rmtree(killed, ignore_errors=True)
    partial.mkdir()
    tensors = {name: tensor.contiguous() for name, tensor in state.tensors.items()}
    with refused_by_the_system(partial):
        save_file(tensors, partial / "state.safetensors")
    (partial / "state.json").write_text(json.dumps({**state.body, "step": state.step}), encoding="utf-8")
    seal(partial)
    shutil.rmtree(target, ignore_errors=True)
    os.replace(partial, target)
    sync(folder)
    states = sorted(folder.glob("step-*"))
    end = states.index(target) + 1
    for useless in (*states[: max(0, end - KEPT_STATES)], *states[end:]):
        shutil.rmtree(useless, ignore_errors=True)
    return target


class StoredTensors(Mapping[str, torch.Tensor]):
    """The tensors of a state on disk, each read when it is asked for."""

    def __init__(self, path: Path) -> None:
        self._file = safe_open(path, framework="pt")

    def __getitem__(self, name: str) -> torch.Tensor:
        tensor: torch.Tensor = self._file.get_tensor(name)
        return tensor

    def has_rows(self, name: str) -> bool:
        """Whether the tensor is more than a single number."""
        return bool(self._file.get_slice(name).get_shape())

    def rows(self, name: str, start: int, end: int) -> torch.Tensor:
        """Rows from `start` to before `end`, of which there is at least one; no other is read."""
        tensor: torch.Tensor = self._file.get_slice(name)[start:end]
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.keys())

    def __len__(self) -> int:
        return len(self._file.keys())


@dataclass(frozen=True)
class StoredState(TrainingState):
    """A state on disk."""

    tensors: StoredTensors


def newest_state(folder: Path) -> Path | None:
    """The newest state that is whole, or None. Torn folders are passed over, never read."""
    return next((path for path in _newest_first(folder) if is_sealed(path)), None)


def read_state(state: Path) -> StoredState:
    """A state that is known to be whole."""
    body = _body(state)
    return StoredState(body["step"], body, StoredTensors(state / "state.safetensors"))


def said_by_newest(folder: Path) -> dict[str, Any] | None:
    """What the newest state says of its run, or None. Its tensors, which take minutes to verify, are not read for that:
    all states of a folder are of one run."""
    newest = next((path for path in _newest_first(folder) if is_sealed(path, ["state.json"])), None)
    return None if newest is None else _body(newest)


def manifest_hash(folder: Path) -> str | None:
    """What tells the content of a sealed folder from every other; None without a manifest."""
    try:
        return sha256_of(folder / MANIFEST)
    except OSError:
        return None


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"), reverse=True)


def _body(state: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((state / "state.json").read_text(encoding="utf-8"))
    return body


def seal(folder: Path) -> None:
    """Sync every file and folder in it, write `manifest.json` with the files' sha256, and sync that and the folder."""
    hashes = {}
    for path in sorted(folder.rglob("*")):
        sync(path)
        if path.is_file():
            hashes[str(path.relative_to(folder))] = sha256_of(path)
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps(hashes, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    sync(manifest)
    sync(folder)


def is_sealed(folder: Path, names: Iterable[str] | None = None) -> bool:
    """Whether the manifest is there and every file that it names, or each of `names`, has its hash."""
    try:
        hashes = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        asked = hashes if names is None else names
        return bool(hashes) and all(sha256_of(folder / name) == hashes[name] for name in asked)
    except (OSError, ValueError, AttributeError, LookupError, TypeError):
        return False


def seems_whole(folder: Path) -> bool:
    """Whether the manifest is there and every file that it names has its hash, or, where it holds weights, which are
    long to read, the length that its first bytes tell."""
    try:
        names = json.loads((folder / MANIFEST).read_text(encoding="utf-8")).keys()
        weights = {name for name in names if name.endswith(".safetensors")}
        for name in weights:
            with safe_open(folder / name, framework="pt"):
                pass
    except (OSError, ValueError, AttributeError, SafetensorError):
        return False
    return is_sealed(folder, names - weights)


def publish(partial: Path, target: Path) -> None:
    """Move a finished, sealed checkpoint into place; the folder may hold other files, but no checkpoint."""
    seal(partial)
    if not target.exists() or not any(target.iterdir()):
        os.replace(partial, target)
        sync(target.parent)
        return
    # The folder is somebody's (a job's, say): files move in one by one, and the manifest, without which
    # nothing is loaded, comes last.
    for path in sorted(partial.iterdir(), key=lambda path: path.name == "manifest.json"):
        if path.is_dir():
            # A folder takes no other's place while it holds files: an earlier try was killed after this one.
            shutil.rmtree(target / path.name, ignore_errors=True)
        os.replace(path, target / path.name)
    sync(target)
    partial.rmdir()


def check_whole(folder: Path) -> dict[str, Any]:
    """The card of a finished checkpoint. Raises MisstepError when files are missing or changed."""
    if not (folder / "card.json").exists():
        raise MisstepError(
            f"{folder}: no card.json, expected a checkpoint of python -m ml train, or --layout for another model"
        )
    if not is_sealed(folder):
        raise MisstepError(f"{folder}: files differ from manifest.json, expected the checkpoint as written")
    card: dict[str, Any] = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    return card
