"""Imports under trouble: two at once, a failure of any statement or commit, and a file that changes nothing twice."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from django.db import OperationalError, connection

from labelsite.annotations.importers import import_file
from tests.annotations.test_import import counts, processbench_line
from tests.factories import make_user


@contextmanager
def failing_after(calls: int) -> Iterator[list[str]]:
    """Lets so many calls of the server through and fails every later one; yields the kind of each that failed."""
    left, failed = [calls], []

    def counted(kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                failed.append(kind)
                raise psycopg.OperationalError(f"the server went away before a {kind}")
            return call(*arguments, **options)

        return run

    # Below Django, whose wrappers of statements see neither a COPY, nor a commit, nor statements kept in the server.
    with ExitStack() as patches:
        for owner, kind in (
            (psycopg.Cursor, "execute"),
            (psycopg.Cursor, "copy"),
            (psycopg.Connection, "commit"),
        ):
            patches.enter_context(patch.object(owner, kind, counted(kind, getattr(owner, kind))))
        yield failed


def write(path: Path, lines: int) -> Path:
    path.write_text("".join(processbench_line(index, index % 3 - 1) + "\n" for index in range(lines)))
    return path


@pytest.mark.django_db(transaction=True)
def test_a_failure_at_any_statement_leaves_no_row(tmp_path: Path):
    path = write(tmp_path / "file.jsonl", 5)
    make_user()
    before = counts()
    kinds = Counter[str]()
    for calls in range(100):
        try:
            # A name of its own each time: what an earlier failure left behind would spare this one a statement.
            with failing_after(calls) as failed:
                import_file(path, "processbench", f"C{calls}")
        except (OperationalError, psycopg.OperationalError):
            kinds[failed[0]] += 1
            assert counts() == before, f"after {calls} calls, before a {failed[0]}"
        else:
            break
    assert kinds["execute"] > 8 and kinds["copy"] and kinds["commit"] and calls < 99, kinds
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
