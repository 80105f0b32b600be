"""Files that a stranger sends: each is refused with one clear message, in bounded memory."""

from __future__ import annotations

import gzip
import json
import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ml import formats
from ml.errors import BadRecord, MisstepError
from ml.formats import records
from ml.formats.lines import Limits, read_objects

GOOD = {
    "id": "a",
    "generator": "m",
    "problem": "1+1?",
    "steps": ["2"],
    "final_answer_correct": True,
    "label": -1,
}


def line(**changes: object) -> bytes:
    return json.dumps({**GOOD, **changes}).encode() + b"\n"


def nested(depth: int) -> list[object]:
    return [nested(depth - 1)] if depth else []


ORDINARY = Limits()


def refusal(path: Path, limits: Limits = ORDINARY) -> str:
    """The one message for this file; also checks that reading stops there."""
    with pytest.raises(BadRecord) as caught:
        list(formats.read(path, "processbench", limits=limits))
    assert str(caught.value).startswith(f"{path}:{caught.value.line}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}:")


@pytest.mark.parametrize(
    ("second_line", "message"),
    [
        (b'{"id": ', "2: broken JSON (Expecting value at column 7)"),
        (b'{"id": "b"\r\n', "2: broken JSON (Expecting ',' delimiter at column 11)"),
        (b"[1, 2]", "2: a JSON array, expected one JSON object a line"),
        (b'"text"', "2: a JSON string, expected one JSON object a line"),
        (b'{"id": "\xff\xfe"}', "2: invalid UTF-8 at byte 9 of the line"),
        (line(problem="a\x00b"), r"2: a NUL character (\u0000)"),
        (b'{"id": "\x00"}', "2: a NUL character"),
        (line(steps=["\ud800"]), "2: half a surrogate pair"),
        (b'{"label": NaN}', "2: a number out of range (NaN is not JSON)"),
        (b'{"label": 1e999}', "2: a number out of range (1e999 is infinite)"),
        (b'{"label": ' + b"9" * 5000 + b"}", "2: a number out of range"),
        (b"[" * 100_000, "2: JSON nested too deeply"),
        (line(more=nested(257)), "2: JSON nested too deeply"),
        (line(id="a"), "2: id 'a' again (first on line 1), expected ids that differ"),
        (line(id="b", label=1), "2: `label` = 1, expected a whole number from -1 to 0"),
        (line(id="b", label=True), "2: `label` = true, expected a whole number from -1 to 0"),
        (line(id="b", steps=[]), "2: `steps` = [], expected a list of at least 1 text(s)"),
        (line(id="b", steps=["x", 3]), "2: `steps[1]` = 3, expected a text"),
        (
            line(id="b", final_answer_correct="yes"),
            '2: `final_answer_correct` = "yes", expected true or false',
        ),
        (line(id="b" * 300), '2: `id` = "bbb'),
        (line(id="b", generator="m" * 300), "2: a generator of 300 characters, expected at most 200"),
        (
            line(id="b", steps=["s"] * 1001),
            "2: a solution of too many steps or alternatives, expected at most",
        ),
        (
            b'{"id": "b", "problem": "p", "steps": ["s"], "label": -1}',
            "2: no key `final_answer_correct` (keys: id, problem, steps, label), expected a",
        ),
        (b'{"id": "b"}', "2: no key `steps` (keys: id), expected a `steps`"),
    ],
)
def test_a_bad_line_is_named_with_what_was_found_and_expected(tmp_path, second_line, message):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(line() + second_line)
    assert refusal(path).startswith(message)


def test_an_escaped_backslash_before_u0000_is_ordinary_text(tmp_path):
    path = tmp_path / "good.jsonl"
    path.write_bytes(line(problem=r"what is \u0000 and \ud800?"))
    assert [found.solution.problem.text for found in formats.read(path, "processbench")] == [
        r"what is \u0000 and \ud800?"
    ]


def test_a_table_s_null_is_no_id_and_the_line_s_number_stands_for_it(tmp_path):
    path = tmp_path / "table.jsonl"
    path.write_bytes(line(id=None) + line(id=None) + line(id="c"))
    found = list(formats.read(path, "processbench"))
    assert [(one.solution.id, one.is_numbered) for one in found] == [("1", True), ("2", True), ("c", False)]


def test_utf_16_is_called_by_its_name_and_not_told_line_by_line(tmp_path):
    path = tmp_path / "windows.jsonl"
    path.write_bytes("{}\n{}\n".encode("utf-16"))
    errors: list[BadRecord] = []
    assert list(formats.read(path, "records", errors.append)) == []
    assert [(error.line, error.found, error.expected) for error in errors] == [
        (1, "UTF-16 text", "UTF-8 text")
    ]


@pytest.mark.parametrize("content", [b"", b"\n\n  \n"])
def test_an_empty_file_is_refused(tmp_path, content):
    path = tmp_path / "empty.jsonl"
    path.write_bytes(content)
    assert refusal(path) == "1: an empty file, expected one JSON object a line"


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert refusal(tmp_path / "nothing.jsonl").startswith("1: no readable file")
    assert refusal(tmp_path).startswith("1: no readable file")


def test_an_unknown_format_is_refused_before_the_file_is_touched(tmp_path):
    with pytest.raises(MisstepError, match="format 'csv', expected one of processbench, prm800k"):
        formats.read(tmp_path / "nothing", "csv")


def test_a_line_of_200_megabytes_never_enters_memory(tmp_path):
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write(line())
        for _ in range(200):
            file.write(b"x" * 2**20)
        file.write(b"\n" + line(id="after"))
    errors: list[BadRecord] = []
    tracemalloc.start()
    read = [found.solution.id for found in formats.read(path, "processbench", on_error=errors.append)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read == ["a", "after"]
    assert [(error.line, error.found) for error in errors] == [(2, "a line longer than 16 MiB")]
    assert peak < 64 * 2**20


def test_memory_does_not_grow_with_the_file(tmp_path):
    def peak(count: int) -> int:
        path = tmp_path / f"{count}.jsonl"
        path.write_bytes(b"".join(line(id=str(number)) for number in range(count)))
        tracemalloc.start()
        assert sum(1 for _ in formats.read(path, "processbench")) == count
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(10)  # The first call pays for what is loaded once.
    assert peak(10_000) < peak(500) + 200_000


def test_gzip_is_read_like_plain_text_whatever_the_name_says(tmp_path):
    path = tmp_path / "upload.bin"
    path.write_bytes(gzip.compress(line() + line(id="b")))
    assert [found.solution.id for found in formats.read(path, "processbench")] == ["a", "b"]


def test_a_gz_name_on_plain_text_is_refused(tmp_path):
    path = tmp_path / "plain.jsonl.gz"
    path.write_bytes(line())
    assert refusal(path).startswith("1: a .gz name on a file that is not gzip")


@pytest.mark.parametrize(
    "damage", [lambda packed: packed[:-20], lambda packed: packed[:40] + b"!!!!" + packed[44:]]
)
def test_broken_gzip_is_refused(tmp_path, damage):
    path = tmp_path / "broken.jsonl.gz"
    path.write_bytes(damage(gzip.compress(b"".join(line(id=str(number)) for number in range(2000)))))
    assert "broken gzip data" in refusal(path)


def test_a_gzip_bomb_is_refused_before_it_unfolds(tmp_path):
    path = tmp_path / "bomb.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=9) as file:
        for _ in range(64):
            file.write((b" " * 999 + b"\n") * 1024)
    assert path.stat().st_size < 200_000
    assert "gzip data that grows more than 200-fold" in refusal(path)


def test_gzip_data_beyond_the_total_is_refused(tmp_path):
    path = tmp_path / "large.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(line(id=str(number)) for number in range(2000))))
    assert "unpacks to more than 100,000 bytes" in refusal(path, Limits(total_bytes=100_000))


def test_a_mark_at_the_start_windows_line_ends_and_blank_lines_are_no_errors(tmp_path):
    path = tmp_path / "windows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + line().replace(b"\n", b"\r\n") + b"\r\n" + line(id="b").rstrip())
    assert [(found.line, found.solution.id) for found in formats.read(path, "processbench")] == [
        (1, "a"),
        (3, "b"),
    ]


def test_every_bad_line_is_reported_to_a_caller_that_wants_them_all(tmp_path):
    path = tmp_path / "many.jsonl"
    path.write_bytes(b"".join(line(id=str(n), label=7 if n % 3 == 0 else -1) for n in range(30)))
    errors: list[BadRecord] = []
    read = list(formats.read(path, "processbench", on_error=errors.append, name="many.jsonl"))
    assert len(read) == 20
    assert [error.line for error in errors] == list(range(1, 31, 3))
    assert str(errors[0]) == "many.jsonl:1: `label` = 7, expected a whole number from -1 to 0"


def test_a_reader_that_is_left_early_closes_its_file(tmp_path, recwarn):
    path = tmp_path / "two.jsonl"
    path.write_bytes(line() + line(id="b"))
    reading = formats.read(path, "processbench")
    next(reading)
    reading.close()
    assert not [warning for warning in recwarn if warning.category is ResourceWarning]


def test_reading_may_begin_in_one_thread_and_end_in_another(tmp_path):
    path = tmp_path / "two.jsonl"
    path.write_bytes(line() + line(id="b"))
    reading = formats.read(path, "processbench")
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(next, reading).result().solution.id == "a"
    assert [found.solution.id for found in reading] == ["b"]


@pytest.mark.parametrize("blank", ["", " \n"])
def test_a_blank_answer_is_none(blank):
    (found,) = records.parse({"problem": "1+1?", "answer": blank, "steps": ["2"], "final_answer": blank}, 1)
    assert found.solution.problem.answer is None and found.solution.final_answer is None


def test_line_numbers_count_from_one():
    path = Path(__file__)
    errors: list[BadRecord] = []
    assert list(read_objects(path, "name", Limits(), errors.append)) == []
    assert (errors[0].file, errors[0].line) == ("name", 1)


def test_a_pipe_is_refused_as_what_it_is():
    reading, writing = os.pipe()
    try:
        os.write(writing, line())
        assert refusal(Path(f"/dev/fd/{reading}")) == "1: a pipe, expected a file that can be read twice"
    finally:
        os.close(reading)
        os.close(writing)
