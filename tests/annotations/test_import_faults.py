"""Imports under trouble: two at once, a failure at any statement, and a file that changes nothing twice."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

from labelsite.annotations.importers import import_file
from tests.annotations.test_import import counts, processbench_line
from tests.factories import make_user


class Trouble(OperationalError):
    pass


class FailAt:
    """Lets the first `calls` statements through and fails the next one."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        self.left -= 1
        if self.left < 0:
            raise Trouble(f"the server went away before {sql[:40]}")
        return execute(sql, params, many, context)


def write(path: Path, lines: int) -> Path:
    path.write_text("".join(processbench_line(index, index % 3 - 1) + "\n" for index in range(lines)))
    return path


@pytest.mark.django_db(transaction=True)
def test_a_failure_at_any_statement_leaves_no_row(tmp_path: Path):
    path = write(tmp_path / "file.jsonl", 5)
    make_user()
    before = counts()
    for calls in range(60):
        try:
            # A name of its own each time: what an earlier failure left behind would spare this one a statement.
            with connection.execute_wrapper(FailAt(calls)):
                import_file(path, "processbench", f"C{calls}")
        except Trouble:
            assert counts() == before, f"after statement {calls}"
        else:
            break
    assert 8 < calls < 59
    assert counts()["Solution"] == 5


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_overlapping_files_at_once_add_each_solution_once(tmp_path: Path):
    lines = [processbench_line(index, index % 3 - 1) for index in range(300)]
    paths = []
    for seed in range(3):
        shuffled = random.Random(seed).sample(lines, 200)
        paths.append(tmp_path / f"{seed}.jsonl")
        paths[-1].write_text("\n".join(shuffled))
    errors: list[BaseException] = []

    def work(path: Path) -> None:
        try:
            import_file(path, "processbench", "C")
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    expected = len({json.loads(line)["id"] for path in paths for line in path.read_text().splitlines()})
    found = counts()
    assert [found[name] for name in ("Problem", "Solution", "Task", "Annotation")] == [expected] * 4


@pytest.mark.django_db(transaction=True)
def test_an_import_that_is_refused_at_its_last_line_leaves_no_row(tmp_path: Path):
    path = write(tmp_path / "file.jsonl", 3000)
    with path.open("a") as stream:
        stream.write("{}\n")
    before = counts()
    with pytest.raises(Exception, match=r"file.jsonl:3001: .*\n1 bad line; nothing was imported"):
        import_file(path, "processbench", "C")
    assert counts() == before
