"""A file that stands under its name whole or not at all, whenever its writer is killed."""

from __future__ import annotations

import errno
import glob
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from ml.errors import MisstepError
from ml.file_lock import is_free, take_lock
from ml.json_lines import as_line

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Lets the error of a full disk say which: writing raises it without a file."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL and error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Opens a text file beside `path`, and gives it that name once it is on the disk and the block ended well.

    An error inside the block leaves what stood there before. Makes the folder where there is none. Raises
    MisstepError where nothing can be written, before the block runs: whoever has long work to do opens this first.
    Where the finished file cannot get its name, it stays under its own, which the MisstepError tells. What killed
    writers of this file left beside it goes once it is there.
    """
    beside, stream = _opened_beside(path)
    # Open, and with it locked, until it has its name: only a dead writer's file is free.
    with naming(path), stream:
        try:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        try:
            _refuse_other_things(path)
            os.replace(beside, path)
        except (OSError, MisstepError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise MisstepError(f"{path}: {why}; what was written is whole, and stands in {beside}") from error
    _clear_dead(path)


def _clear_dead(path: Path) -> None:
    """Remove what writers that were killed left beside `path`."""
    for beside in path.parent.glob(f"{glob.escape(path.name)}.{'[0-9a-f]' * 8}.partial"):
        # Another writer may have given it its name, or cleared it, meanwhile.
        with suppress(OSError), beside.open("rb") as stream:
            if is_free(stream):
                beside.unlink()


def write_lines(path: Path, rows: Iterable[Any]) -> None:
    """Writes rows as JSON Lines, all of them or, where one cannot be made or written, none."""
    with whole_file(path) as stream:
        for row in rows:
            stream.write(as_line(row))


def refuse_unwritable(path: Path, *inputs: Path | str | None) -> None:
    """Raises MisstepError where `whole_file` could not write this, or would write over one of the `inputs` (names of
    other things than files are none), for work that keeps what it has elsewhere.
    """
    for given in inputs:
        if (
            given is not None
            and os.path.exists(given)
            and os.path.exists(path)
            and os.path.samefile(given, path)
        ):
            raise MisstepError(f"{path} is what this command reads, expected another file to write")
    beside, stream = _opened_beside(path)
    # While it is locked, or another writer may take it for a dead one's and clear it first.
    with stream:
        beside.unlink()


def _opened_beside(path: Path) -> tuple[Path, TextIO]:
    _refuse_other_things(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            # A name of its own for each writer: two that shared one would take each other's half-written file.
            beside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.partial")
            stream = beside.open("w", encoding="utf-8")
            # Until it is locked, another writer may take it for a dead one's and clear it.
            if take_lock(stream) and beside.exists():
                return beside, stream
            stream.close()
    except FileExistsError as error:
        raise MisstepError(f"{path.parent} is no folder, expected one for {path.name}") from error
    except OSError as error:
        raise MisstepError(f"{path}: {error.strerror}, expected a file that can be written") from error


def _refuse_other_things(path: Path) -> None:
    """A folder cannot be replaced by a file, and a device must not be."""
    if os.path.exists(path) and not os.path.isfile(path):
        found = "a folder" if os.path.isdir(path) else "no regular file"
        raise MisstepError(f"{path} is {found}, expected the name of a file to write")
