"""A file that is written beside its name and renamed: whole, or what stood there before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ml import whole_file as module
from ml.errors import MisstepError
from ml.file_lock import take_lock
from ml.whole_file import refuse_unwritable, whole_file, write_lines

_UNTIL_KILLED = """
import sys, time
from pathlib import Path
from ml.whole_file import whole_file

with whole_file(Path(sys.argv[1])) as stream:
    print("writing", flush=True)
    time.sleep(600)
"""


def test_the_file_appears_when_the_block_ends_and_not_before(tmp_path) -> None:
    path = tmp_path / "new" / "lines.jsonl"
    with whole_file(path) as stream:
        stream.write("é\n")
        assert not path.exists()
    assert path.read_text(encoding="utf-8") == "é\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["lines.jsonl"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_what_stood_there_and_nothing_beside_it(tmp_path, error) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text("before\n")
    with pytest.raises(error), whole_file(path) as stream:
        stream.write("half\n")
        raise error
    assert path.read_text() == "before\n"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_never_meet_and_the_last_to_end_counts(tmp_path) -> None:
    path = tmp_path / "lines.jsonl"
    with whole_file(path) as first:
        first.write("first\n")
        with whole_file(path) as second:
            second.write("second\n")
        assert path.read_text() == "second\n"
        first.write("and last\n")
    assert path.read_text() == "first\nand last\n"
    assert list(tmp_path.iterdir()) == [path]


def test_what_killed_writers_left_goes_with_the_next_whole_file_and_a_living_ones_stays(tmp_path) -> None:
    path = tmp_path / "lines.jsonl"
    dead = subprocess.Popen([sys.executable, "-c", _UNTIL_KILLED, str(path)], stdout=subprocess.PIPE)
    assert dead.stdout is not None and dead.stdout.readline() == b"writing\n"
    dead.kill()
    dead.wait()
    others = [path.with_name("lines.jsonl.partial"), path.with_name("lines.jsonl.notahash.partial")]
    for other in others:
        other.touch()
    assert len(list(tmp_path.iterdir())) == 3
    with whole_file(path) as living:
        with whole_file(path) as stream:
            stream.write("whole\n")
        assert len(list(tmp_path.iterdir())) == 4
        living.write("later\n")
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])
    assert path.read_text() == "later\n"


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_file_that_another_writer_clears_before_it_is_locked_gives_way_to_a_new_one(
    tmp_path, monkeypatch, is_gone
) -> None:
    opened: list[Path] = []

    def taken(stream) -> bool:
        opened.append(Path(stream.name))
        if len(opened) > 1:
            return take_lock(stream)
        # The other writer has just cleared it, or holds its lock and is about to.
        opened[0].unlink()
        return is_gone

    monkeypatch.setattr(module, "take_lock", taken)
    path = tmp_path / "lines.jsonl"
    write_lines(path, [{"id": 1}])
    assert path.read_text() == '{"id": 1}\n' and len(set(opened)) == 2


def test_a_look_whether_a_file_can_be_written_leaves_nothing_for_others_to_clear(
    tmp_path, monkeypatch
) -> None:
    path = tmp_path / "lines.jsonl"
    with monkeypatch.context() as patched:
        unlink = Path.unlink

        def unlink_late(beside: Path) -> None:
            patched.undo()
            # Meanwhile another writer ends.
            write_lines(path, [{"id": 1}])
            unlink(beside)

        patched.setattr(Path, "unlink", unlink_late)
        refuse_unwritable(path)
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_regular_file_is_refused_before_the_work(tmp_path) -> None:
    folder, pipe = tmp_path / "folder", tmp_path / "pipe"
    folder.mkdir()
    os.mkfifo(pipe)
    for path, found in ((folder, "a folder"), (pipe, "no regular file"), (Path("/dev/null"), "no regular")):
        with pytest.raises(MisstepError, match=f"{path} is {found}"), whole_file(path):
            pytest.fail("worked")
    assert sorted(tmp_path.iterdir()) == [folder, pipe] and list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_refused_before_the_work(tmp_path) -> None:
    (tmp_path / "file").touch()
    for folder, told in (("file", "file is no folder"), ("file/new", "lines.jsonl: Not a directory")):
        path = tmp_path / folder / "lines.jsonl"
        with pytest.raises(MisstepError, match=told), whole_file(path):
            pytest.fail("worked")


def test_a_finished_file_that_cannot_get_its_name_is_kept_and_told(tmp_path) -> None:
    path = tmp_path / "lines.jsonl"
    with pytest.raises(MisstepError, match="stands in ") as refusal, whole_file(path) as stream:
        stream.write("all of it\n")
        # What stands there now cannot make way for a file.
        path.mkdir()
    kept = Path(str(refusal.value).rpartition("stands in ")[2])
    assert kept.parent == tmp_path and kept.read_text() == "all of it\n"


def test_rows_become_lines_and_a_row_that_cannot_be_written_leaves_what_stood_there(tmp_path) -> None:
    path = tmp_path / "lines.jsonl"
    write_lines(path, ({"id": number, "text": "é"} for number in range(2)))
    assert path.read_text(encoding="utf-8") == '{"id": 0, "text": "é"}\n{"id": 1, "text": "é"}\n'
    with pytest.raises(ValueError):
        write_lines(path, [{"id": 2}, {"score": float("nan")}])
    assert path.read_text(encoding="utf-8").count("\n") == 2
    assert list(tmp_path.iterdir()) == [path]
