"""Checkpoint folders: verified file by file, and kept under the hash of their content."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from labelsite.autolabels.importers import read_object
from ml.errors import MisstepError
from ml.file_hash import sha256_of
from ml.snapshot import read_problem_hashes
from ml.whole_folder import settle

if TYPE_CHECKING:
    from labelsite.training.models import Checkpoint

MANIFEST, CARD, PROBLEMS = "manifest.json", "card.json", "training_problems.txt"
CARD_FORMAT = "misstep-checkpoint"


def checkpoints_folder() -> Path:
    return Path(settings.VAR) / "checkpoints"


def checkpoint_path(checkpoint: Checkpoint) -> Path:
    """Where a checkpoint's files lie."""
    return checkpoints_folder() / checkpoint.folder


def verified(folder: Path) -> tuple[str, dict[str, Any]]:
    """The checkpoint's sha256 and card, once every file has been compared with its manifest.

    The hash is that of the manifest, which has each file's. Raises MisstepError for what is missing, changed,
    or no checkpoint.
    """
    manifest = _json(folder / MANIFEST)
    for name, expected in manifest.items():
        _verify(folder, name, expected)
    if CARD not in manifest:
        raise MisstepError(f"{folder} has no {CARD}, expected a checkpoint of python -m ml train")
    return sha256_of(folder / MANIFEST), card_of(folder)


def card_of(folder: Path) -> dict[str, Any]:
    """What a checkpoint says of itself, not yet compared with its manifest; raises MisstepError for no card."""
    card = _json(folder / CARD)
    if card.get("format") != CARD_FORMAT:
        raise MisstepError(f"{folder / CARD} has format {card.get('format')!r}, expected {CARD_FORMAT!r}")
    return card


def snapshots_on(card: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What a card says of the snapshot, or of each of several."""
    named: Mapping[str, Any] = card.get("snapshot") or {}
    return named.get("snapshots") or [named]


def _verify(folder: Path, name: str, expected: str) -> None:
    path = folder / name
    _refuse_outside(folder, name)
    if not path.is_file():
        raise MisstepError(f"{path} is missing, expected every file of {MANIFEST}")
    if (found := sha256_of(path)) != expected:
        raise MisstepError(f"{path} has sha256 {found}, expected {expected}")


def _refuse_outside(folder: Path, name: str) -> None:
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise MisstepError(f"{folder / MANIFEST} names {name!r}, expected files of the folder itself")


def training_problems(folder: Path) -> frozenset[str]:
    """The problems that a checkpoint was trained on, by hash.

    Raises MisstepError where its folder is gone or torn, or does not say: a model that seems to have seen nothing would
    be praised for what it knows by heart.
    """
    manifest = _json(folder / MANIFEST)
    if PROBLEMS not in manifest:
        raise MisstepError(f"{folder} has no {PROBLEMS}, expected a checkpoint of python -m ml train")
    _verify(folder, PROBLEMS, manifest[PROBLEMS])
    return read_problem_hashes(folder / PROBLEMS)


def keep(folder: Path, sha256: str) -> Path:
    """Give the folder's files a second name under VAR/checkpoints/<sha256>, on the disk; return it.

    The files stay where the job left them too, so that a load that is rolled back can be done again. A whole
    folder that is there already stays. On the disk, because what a resume needs is deleted next.
    """
    target = checkpoints_folder() / sha256
    with _beside() as beside:
        shutil.copytree(folder, beside, copy_function=_link_or_copy)
        settle(beside, target, lambda there: _is_kept(there, sha256))
    return target


def take_over(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Copy a checkpoint from anywhere to VAR/checkpoints/<sha256>, on the disk; return where it lies, and its card.

    A copy, for the folder stays its owner's, who may change it; only of what its manifest names, for the rest is not
    the checkpoint's. It is the copy that is verified. Raises MisstepError as `verified` does, and for what it cannot
    read or write.
    """
    try:
        names = [MANIFEST, *_json(folder / MANIFEST)]
        with _beside() as beside:
            for name in names:
                _refuse_outside(folder, name)
                (beside / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, beside / name)
            sha256, card = verified(beside)
            target = checkpoints_folder() / sha256
            settle(beside, target, lambda there: _is_kept(there, sha256))
    except OSError as problem:
        raise MisstepError(
            f"{problem.filename or folder}: {problem.strerror}, expected a whole checkpoint and room for a copy"
        ) from None
    return target, card


@contextmanager
def _beside() -> Iterator[Path]:
    """A name for a folder that is being made; what still has it in the end goes."""
    beside = checkpoints_folder() / f".{uuid.uuid4().hex}"
    beside.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield beside
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _is_kept(folder: Path, sha256: str) -> bool:
    """Whether every file of the folder is that checkpoint's; its name says so, and a power loss makes it a lie."""
    try:
        return verified(folder)[0] == sha256
    except (OSError, MisstepError):
        return False


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _json(path: Path) -> dict[str, Any]:
    return read_object(path, "a whole checkpoint")
