"""`python -m ml evaluate` with gzipped files, and with files that are no text: read, or refused in one line."""

from __future__ import annotations

import gzip
import json

import pytest

from ml.errors import BadRecord
from ml.evaluation.critiques import read_critiques
from ml.evaluation.pools import read_pools, read_scores

CANDIDATE = {"steps": ["x"], "final_answer": "1", "is_correct": True}
READERS = {
    "pool": (lambda path: list(read_pools(path)), {"id": "a", "solutions": [CANDIDATE]}),
    "scores": (read_scores, {"id": "a/0", "scores": [0.5]}),
    "critiques": (read_critiques, {"id": "a", "critiques": [0]}),
}


@pytest.fixture(params=READERS)
def reader(request):
    read, line = READERS[request.param]
    return read, json.dumps(line).encode() + b"\n"


def test_a_gzipped_file_is_read_as_the_plain_one(tmp_path, reader):
    read, line = reader
    (tmp_path / "plain.jsonl").write_bytes(line)
    with gzip.open(tmp_path / "packed.jsonl.gz", "wb") as stream:
        stream.write(line)
    assert len(read(tmp_path / "plain.jsonl")) == len(read(tmp_path / "packed.jsonl.gz")) == 1


def test_blank_lines_are_passed_over_and_counted(tmp_path, reader):
    read, line = reader
    path = tmp_path / "spaced.jsonl"
    path.write_bytes(b"\n" + line + b" \n\r\n")
    assert len(read(path)) == 1
    path.write_bytes(b"\n" + line + b"\n[]\n")
    with pytest.raises(BadRecord, match=r"spaced.jsonl:4: unreadable \(no JSON object\)"):
        read(path)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("latin.jsonl", b'{"id": "\xe9"}\n', r"latin.jsonl:2: unreadable .*utf-8"),
        ("packed.jsonl", gzip.compress(b"{}" * 400, mtime=0)[:-9], r"packed.jsonl:1: broken gzip data"),
        ("plain.jsonl.gz", b"{}\n", r"plain.jsonl.gz:1: a .gz name on a file that is not gzip"),
    ],
)
def test_bytes_that_are_no_text_are_refused_by_line(tmp_path, reader, name, content, complaint):
    read, line = reader
    (tmp_path / name).write_bytes(line + content if name.startswith("latin") else content)
    with pytest.raises(BadRecord, match=complaint):
        read(tmp_path / name)


def test_half_of_a_surrogate_pair_in_a_pool_spoils_nothing(tmp_path):
    (tmp_path / "pool.jsonl").write_text(
        json.dumps({"id": "a", "solutions": [CANDIDATE | {"steps": ["\ud800"]}]})
    )
    assert len(list(read_pools(tmp_path / "pool.jsonl"))) == 1
