"""A folder that gets its name on the disk, leaves a whole one alone and takes a torn one's place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ml import whole_folder
from ml.whole_folder import settle


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    folder = tmp_path / ".beside"
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "part").write_text("new")
    return folder


def content(folder: Path) -> str:
    return (folder / "parts" / "part").read_text()


def is_whole(folder: Path) -> bool:
    return (folder / "parts" / "part").exists()


def test_every_file_and_folder_is_on_the_disk_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    replace = os.replace
    monkeypatch.setattr(whole_folder, "sync", lambda path: done.append(path.name))
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("replace"), replace(*names)))
    settle(beside, tmp_path / "name", is_whole)
    assert done == ["parts", "part", ".beside", "replace", tmp_path.name]


def test_a_whole_folder_of_the_name_stays(tmp_path: Path, beside: Path) -> None:
    target = tmp_path / "name"
    (target / "parts").mkdir(parents=True)
    (target / "parts" / "part").write_text("old")
    settle(beside, target, is_whole)
    assert (content(target), content(beside)) == ("old", "new")


def test_a_torn_folder_of_the_name_makes_way_and_leaves_nothing(tmp_path: Path, beside: Path) -> None:
    target = tmp_path / "name"
    (target / "parts").mkdir(parents=True)
    settle(beside, target, is_whole)
    assert content(target) == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_cannot_be_moved_is_an_error(tmp_path: Path, beside: Path) -> None:
    with pytest.raises(FileNotFoundError):
        settle(beside, tmp_path / "nowhere" / "name", is_whole)
