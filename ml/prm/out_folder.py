"""Where a training run may write: OUT for its checkpoint, and what stands beside it while the run goes.

OUT.state holds what a resume needs, OUT.partial the checkpoint before it is moved, and OUT.lock keeps a second start
from writing over the first one's states and checkpoint.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from ml.errors import FolderInUse, MisstepError
from ml.file_lock import take_lock
from ml.prm.distributed import Group
from ml.said import Said


def states_of(out: Path) -> Path:
    """Where what a resume needs is kept while the run goes."""
    return out.with_name(out.name + ".state")


def partial_of(out: Path) -> Path:
    """Where a checkpoint is written before it is moved to its place."""
    return out.with_name(out.name + ".partial")


# What a checkpoint has, besides weights of any name: a folder with one of these would lose it.
CHECKPOINT_FILES = (
    "card.json",
    "config.json",
    "generation_config.json",
    "steps.json",
    "metrics.jsonl",
    "training_problems.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "adapter",
)


def refuse_occupied(out: Path, base: str) -> None:
    """Raises MisstepError where a checkpoint could not be put at the end, or would take the place of what is there.

    OUT may be somebody's folder with other files in it, and may hold part of a checkpoint whose move was killed.
    """
    _refuse_nameless(out)
    if out.exists() and not out.is_dir():
        raise MisstepError(f"{out} is no folder, expected a new folder")
    # Their names cannot be given to the checkpoint that stands beside them.
    if out.is_symlink():
        raise MisstepError(f"{out} is a symbolic link, expected a new folder")
    if os.path.ismount(out):
        raise _mounted(out)
    refuse_finished(out)
    if Path(base).is_dir() and out.resolve() == Path(base).resolve():
        raise MisstepError(f"--out {out} is the base itself, expected a new folder")
    if partial_of(out).exists() or states_of(out).exists():
        return
    theirs = [
        *(out / name for name in CHECKPOINT_FILES),
        *out.glob("*.safetensors"),
        *out.glob("*.safetensors.*"),
    ]
    found = next((path.name for path in theirs if path.exists()), None)
    if found is not None:
        raise MisstepError(f"{out} already holds another's {found}, expected a new folder")


def _refuse_nameless(out: Path) -> None:
    """Raises MisstepError for a folder beside which nothing can be named after it."""
    if not out.name:
        raise MisstepError(f"--out {out}, expected a folder's name")


def refuse_unmovable(out: Path) -> None:
    """Raises MisstepError where nothing that stands beside OUT can be moved into it. Some mounts (a folder of the same
    file system, bound to another place) are known by nothing else. Whoever asks has to be the only one who writes."""
    if not out.is_dir():
        return
    try:
        descriptor, name = tempfile.mkstemp(prefix=f"{out.name}.", suffix=".probe", dir=out.parent)
        os.close(descriptor)
        beside, inside = Path(name), out / Path(name).name
        try:
            os.replace(beside, inside)
        finally:
            beside.unlink(missing_ok=True)
            inside.unlink(missing_ok=True)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise _mounted(out) from error
        raise MisstepError(f"{out}: {error.strerror}, expected a folder that can be written") from error


def _mounted(out: Path) -> MisstepError:
    return MisstepError(f"{out} is a mount point, expected a new folder, which may lie inside it")


def refuse_finished(out: Path) -> None:
    """Raises MisstepError where a checkpoint already stands: it is evidence, and is not written over.

    Without a manifest nothing loads it: those are the files of a run that was killed before it had moved all.
    """
    if (out / "manifest.json").exists():
        held = "a snapshot" if (out / "parts").is_dir() else "a checkpoint"
        raise MisstepError(f"{out} already holds {held}, expected a new folder")


def refuse_overtaken(out: Path) -> None:
    """Raises FolderInUse where another run has finished since this one began: whoever asked for it may look again."""
    if (out / "manifest.json").exists():
        raise FolderInUse(f"{out}: another run has finished here meanwhile, expected one at a time")


@contextmanager
def writing_alone(out: Path, group: Group) -> Iterator[None]:
    """While this is held no other run writes to OUT. The first process holds it, and all of them hear a refusal.

    Raises FolderInUse where another run holds it or has just finished, MisstepError where nothing can be written.
    """
    _refuse_nameless(out)
    with ExitStack() as stack:
        group.first_does(lambda: stack.enter_context(_locked(out)))
        yield


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    path = out.with_name(out.name + ".lock")
    file = _lock(path, out)
    try:
        # Whoever held the lock until now may have finished since the first look.
        refuse_overtaken(out)
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def _lock(path: Path, out: Path) -> IO[bytes]:
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("ab")
        except OSError as error:
            raise MisstepError(f"{out}: {error.strerror}, expected a folder that can be written") from error
        if not take_lock(file):
            file.close()
            raise FolderInUse(
                Said("%(folder)s: another run is writing here, expected one at a time", folder=out)
            )
        if _is_at(file, path):
            return file
        # The run before took the file's name away after we had opened it: a third one may hold the next.
        file.close()


def _is_at(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
