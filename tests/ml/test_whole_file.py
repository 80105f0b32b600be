"""A file that is written beside its name and renamed: whole, or what stood there before."""

from __future__ import annotations

import pytest

from ml.whole_file import whole_file


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
