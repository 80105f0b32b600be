"""A folder's lock: another's is heard, and a file system without locks shuts nobody out."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from ml.file_lock import take_lock
from ml.prm.distributed import Group
from ml.prm.out_folder import writing_alone
from ml.search.run_folder import RunFolder


@pytest.fixture
def without_locks(monkeypatch):
    """As some network file systems answer."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_a_lock_is_one_holders_until_its_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("ab") as first, path.open("ab") as second:
        assert take_lock(first) and not take_lock(second)
        first.close()
        assert take_lock(second)


def test_a_search_writes_where_the_file_system_has_no_locks(tmp_path: Path, without_locks: None) -> None:
    folder = RunFolder(tmp_path, {"seed": 0})
    folder.open()
    folder.add(0, {"estimate": 1})
    folder.finish({"settings": folder.settings}, {"estimate": "estimates.jsonl"})
    assert (tmp_path / "estimates.jsonl").read_text() == "1\n"


def test_a_training_run_writes_where_the_file_system_has_no_locks(
    tmp_path: Path, without_locks: None
) -> None:
    with writing_alone(tmp_path / "checkpoint", Group()):
        assert (tmp_path / "checkpoint.lock").exists()
