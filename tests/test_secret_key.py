"""The key that a first start makes: whole, one for all, and never a short one."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from labelsite import settings
from tests.data import ROOT

FOLDERS = 200
# Each process makes or finds the key of many folders, so that they meet in some.
STARTS = f"""
import sys
from pathlib import Path
from labelsite import settings
print("ready", flush=True)
sys.stdin.readline()
for number in range({FOLDERS}):
    settings.VAR = Path(sys.argv[1]) / str(number)
    print(settings.secret_key())
"""


@pytest.fixture(autouse=True)
def no_given_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.setattr(settings, "VAR", tmp_path)


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    key = settings.secret_key()
    assert len(key) >= 48 and settings.secret_key() == key
    (kept,) = tmp_path.iterdir()
    assert (kept.name, stat.S_IMODE(kept.stat().st_mode)) == ("secret_key", 0o600)


def test_first_starts_at_once_have_one_key(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTS, str(tmp_path)]
    pipe = subprocess.PIPE
    starts = [subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    for start in starts:
        assert start.stdout is not None and start.stdout.readline() == "ready\n"
    for start in starts:
        assert start.stdin is not None
        start.stdin.write("\n")
        start.stdin.flush()
    one, other = (start.communicate(timeout=60)[0].split() for start in starts)
    assert [start.returncode for start in starts] == [0, 0]
    assert one == other and len(set(one)) == FOLDERS


def test_a_file_system_without_hard_links_keeps_a_key_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(settings.os, "link", refuse)
    key = settings.secret_key()
    assert settings.secret_key() == key
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]


@pytest.mark.parametrize("left", ["", "\n", "x" * 31])
def test_a_file_without_a_whole_key_is_refused_by_name(tmp_path: Path, left: str) -> None:
    (tmp_path / "secret_key").write_text(left)
    with pytest.raises(ImproperlyConfigured, match=f"{tmp_path}/secret_key holds fewer than 32 characters"):
        settings.secret_key()


def test_a_start_that_is_cut_short_leaves_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(settings.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        settings.secret_key()
    assert list(tmp_path.iterdir()) == []
