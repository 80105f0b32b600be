"""Whether a snapshot's files still are what was frozen: nothing of it leaves the site otherwise.

A file is hashed when it is first asked for, and again only when its size, times or inode are others. That misses what
goes wrong on the disk under them; `manage.py verify_snapshots` reads every byte.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from ml.errors import MisstepError
from ml.snapshot import combined_hash

MANIFEST_FILE = "manifest.json"
_Mark = tuple[int, int, int, int]
# Path to what the file looked like when it was hashed, and its hash.
_hashed: dict[str, tuple[_Mark, str]] = {}


class Damaged(MisstepError):
    """FOLDER/FILE: what was found, expected what the manifest says."""


def open_whole(folder: Path, entry: Mapping[str, Any]) -> BufferedReader:
    """One file of a snapshot, open for reading; raises Damaged where it is not what its manifest says."""
    path = folder / entry["file"]
    try:
        stream = path.open("rb")
        found = _hash_of(path, stream)
    except OSError as error:
        raise Damaged(_damage(path, str(error.strerror))) from error
    if found != entry["sha256"]:
        stream.close()
        raise Damaged(_damage(path, f"sha256 {found[:16]}…"))
    return stream


def require_whole(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Raises Damaged for the first file that is not what the manifest says."""
    for complaint in damage_in(folder, manifest):
        raise Damaged(complaint)


def damage_in(folder: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    """What is not as it was frozen, a sentence for each file."""
    if combined_hash(part["sha256"] for part in manifest["parts"]) != manifest["sha256"]:
        yield _damage(folder / MANIFEST_FILE, _("parts that do not belong together"))
    if _own_hash(folder) != manifest["sha256"]:
        yield _damage(folder / MANIFEST_FILE, _("another manifest"))
    for entry in (*manifest["parts"], *manifest.get("files", [])):
        try:
            open_whole(folder, entry).close()
        except Damaged as error:
            yield str(error)


def forget() -> None:
    """Hash every file anew from here on."""
    _hashed.clear()


def _own_hash(folder: Path) -> str | None:
    """The hash in the manifest that lies in the folder; it may be that of another snapshot with the same content."""
    try:
        return str(json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _hash_of(path: Path, stream: BufferedReader) -> str:
    status = os.fstat(stream.fileno())
    # The last is not kept by copies, and nobody can set it back.
    mark = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    known = _hashed.get(str(path))
    if known and known[0] == mark:
        return known[1]
    found = hashlib.file_digest(stream, "sha256").hexdigest()
    stream.seek(0)
    _hashed[str(path)] = (mark, found)
    return found


def _damage(path: Path, found: str) -> str:
    message = _("%(file)s is damaged: %(found)s, expected what was frozen. Restore it, or freeze again.")
    return message % {"file": f"{path.parent.name}/{path.name}", "found": found}
