"""A folder that stands under its name whole and on the disk: the folder's counterpart of `ml.whole_file`."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path


def settle(beside: Path, target: Path, is_whole: Callable[[Path], bool]) -> None:
    """Give the finished folder `beside` the name `target`, on the disk when this returns.

    A whole folder that has the name already stays, and then `beside` does too. One that a power loss has torn makes
    way: whoever kept it would keep the loss.
    """
    sync_tree(beside)
    while not _is_moved(beside, target):
        if is_whole(target):
            # Whoever moved it here may have been killed before it was on the disk.
            sync_tree(target)
            break
        _remove(target)
    sync(target.parent)


def sync_tree(folder: Path) -> None:
    """Make the content of every file and the entries of every folder below `folder` durable, and its own."""
    for path in sorted(folder.rglob("*")):
        sync(path)
    sync(folder)


def sync(path: Path) -> None:
    """Make a file's content, or a folder's entries, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_moved(beside: Path, target: Path) -> bool:
    """Whether `target` was free, so that `beside` has its name now."""
    try:
        os.replace(beside, target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def _remove(target: Path) -> None:
    """Take the name away at once and the files after it, so that no kill leaves half a folder under the name."""
    aside = target.with_name(f".{uuid.uuid4().hex}")
    try:
        os.replace(target, aside)
    except FileNotFoundError:
        # Another process was faster.
        return
    shutil.rmtree(aside, ignore_errors=True)
