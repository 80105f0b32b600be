"""Training states that survive a kill at any moment, and finished checkpoints that are whole or absent.

A state is written into a folder beside its place, every file and the folder are synced, a manifest with
sha256 of each file is added last, and the folder is renamed. Loading verifies the manifest and falls back
to the state before when it does not hold. Only safetensors and JSON are written or read.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from ml.errors import MisstepError
from ml.file_hash import sha256_of
from ml.snapshot import read_problem_hashes
from ml.whole_folder import sync

KEPT_STATES = 2
PROBLEMS = "training_problems.txt"


def problems_taught(own: Iterable[str], earlier: Iterable[Path]) -> list[str]:
    """The problems (by hash) that a model knows: its own, and those of the earlier checkpoints that it goes on from or
    that chose its labels. A folder that is none, or does not say, adds nothing."""
    known = set(own)
    for folder in earlier:
        known |= read_problem_hashes(folder / PROBLEMS)
    return sorted(known)


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
    save_file(
        {name: tensor.contiguous() for name, tensor in state.tensors.items()}, partial / "state.safetensors"
    )
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


def load_newest_state(folder: Path) -> TrainingState | None:
    """The newest state that is whole, or None. Torn folders are passed over, never read."""
    if (newest := _newest_state(folder)) is None:
        return None
    body = _body(newest)
    return TrainingState(body["step"], body, load_file(newest / "state.safetensors"))


def newest_fingerprint(folder: Path) -> str | None:
    """Which run the newest whole state is of, without its tensors."""
    newest = _newest_state(folder)
    return None if newest is None else str(_body(newest)["fingerprint"])


def said_by_newest(folder: Path) -> dict[str, Any] | None:
    """What the newest state says of its run, before its tensors are verified: all states of a folder are of one run."""
    for path in sorted(folder.glob("step-*"), reverse=True):
        try:
            return _body(path)
        except (OSError, ValueError):
            continue
    return None


def _newest_state(folder: Path) -> Path | None:
    return next((path for path in sorted(folder.glob("step-*"), reverse=True) if is_sealed(path)), None)


def _body(state: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((state / "state.json").read_text(encoding="utf-8"))
    return body


def seal(folder: Path) -> None:
    """Sync every file, write `manifest.json` with their sha256, and sync that and the folder."""
    hashes = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            sync(path)
            hashes[str(path.relative_to(folder))] = sha256_of(path)
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps(hashes, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    sync(manifest)
    sync(folder)


def is_sealed(folder: Path) -> bool:
    """Whether the manifest is there and every file that it names has its hash."""
    try:
        hashes = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return bool(hashes) and all(sha256_of(folder / name) == value for name, value in hashes.items())
    except (OSError, ValueError, AttributeError):
        return False


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
