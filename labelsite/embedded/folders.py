"""Where the embedded servers keep their files, and who may look into those folders.

PostgreSQL trusts everybody who can reach its socket (`trust`), so the folder of the sockets must be closed to
everybody else. Folders that already exist are checked and never changed: what a user set up stays as it is.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from labelsite.embedded.errors import EmbeddedError

# A unix socket's address holds 107 bytes; the longest name that we put into the folder takes about 20.
LONGEST_SOCKET_FOLDER = 80
LARGEST_LOG = 10 * 2**20


def private_folder(path: Path) -> Path:
    """Make `path` with mode 0700 if it is missing; raise EmbeddedError if others could enter it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        assert_private(path)
    return path


def assert_private(path: Path) -> None:
    """Raise EmbeddedError unless `path` is a real folder of ours that nobody else may enter."""
    facts = path.lstat()
    if not stat.S_ISDIR(facts.st_mode):
        raise EmbeddedError(f"{path} is not a folder; move it away")
    if facts.st_uid != os.geteuid():
        raise EmbeddedError(
            f"{path} belongs to user id {facts.st_uid}, but this is user id {os.geteuid()}; "
            "run as its owner or choose another folder with VAR="
        )
    # Below a folder with the setgid bit every new one has it, too, and chmod 700 leaves it: it lets nobody in.
    mode = stat.S_IMODE(facts.st_mode) & 0o777
    if mode != 0o700:
        raise EmbeddedError(f"{path} has mode {mode:04o}, expected 0700; run: chmod 700 '{path}'")


def socket_folder(var: Path) -> Path:
    """The private folder of the sockets: `var/run`, or a short one that `var/run` remembers."""
    run = private_folder(var / "run")
    if len(os.fsencode(run)) <= LONGEST_SOCKET_FOLDER:
        return run
    note = run / "sockets_are_in"
    if (remembered := _remembered(note)) and remembered.exists():
        assert_private(remembered)
        return remembered
    short = Path(tempfile.mkdtemp(prefix="misstep-", dir=os.environ.get("XDG_RUNTIME_DIR") or None))
    written = note.with_suffix(".partial")
    written.write_bytes(b"".join(os.fsencode(path) + b"\n" for path in (short, run.resolve())))
    written.replace(note)
    return short


def _remembered(note: Path) -> Path | None:
    """The folder that a note names; None where the note came along with a copy of another `var`.

    The original's servers may run: whoever took their sockets for its own would write into another database.
    """
    if not note.exists():
        return None
    short, _, owner = note.read_bytes().partition(b"\n")
    return (
        Path(os.fsdecode(short)) if owner.removesuffix(b"\n") == os.fsencode(note.parent.resolve()) else None
    )


def log_file(var: Path, name: str) -> Path:
    """`var/log/NAME.log`; one that has grown past LARGEST_LOG bytes is set aside as `NAME.log.1`."""
    path = private_folder(var / "log") / f"{name}.log"
    if path.exists() and path.stat().st_size > LARGEST_LOG:
        path.replace(path.with_name(f"{name}.log.1"))
    return path
