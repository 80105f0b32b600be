"""Many rows in little memory: with a cursor in the server, and without one behind a pooler."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from labelsite.annotations.models import Annotation
from labelsite.problems import queries
from labelsite.problems.models import Solution
from labelsite.problems.streaming import in_chunks
from labelsite.snapshots import annotation_lines
from labelsite.snapshots.annotation_lines import annotations_of, labelled_rows
from tests.factories import make_annotation, make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def behind_a_pooler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)


@pytest.fixture
def looks() -> list[Annotation]:
    """Two people's looks at each of five tasks, in the order of the tasks."""
    campaign, people = make_campaign(overlap=2), [make_user(), make_user()]
    tasks = [make_task(campaign, make_solution()) for _ in range(5)]
    for person in people:
        for task in tasks:
            make_annotation(task, person)
    return list(annotations_of(campaign))


def test_chunks_by_key_are_the_rows_in_their_order_and_no_query_asks_for_more(looks, behind_a_pooler) -> None:
    rows = annotations_of(looks[0].task.campaign)
    with CaptureQueriesContext(connection) as statements:
        chunks = list(in_chunks(rows, 3))
    assert [len(chunk) for chunk in chunks] == [3, 3, 3, 1]
    assert [row for chunk in chunks for row in chunk] == looks
    assert all("LIMIT 3" in query["sql"] for query in statements)
    solutions = Solution.objects.order_by("pk")
    assert [row for chunk in in_chunks(solutions, 2) for row in chunk] == list(solutions)


def test_a_download_is_the_same_with_and_without_a_pooler(looks, monkeypatch) -> None:
    rows = annotations_of(looks[0].task.campaign)
    with_cursor = [labelled for _row, labelled in labelled_rows(rows)]
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)
    assert [labelled for _row, labelled in labelled_rows(rows)] == with_cursor


@pytest.mark.parametrize("value", ["0", "1"])
def test_cursors_in_the_server_are_off_where_prepared_statements_are(value: str) -> None:
    said = "from labelsite.settings import DATABASES as d; print(d['default']['DISABLE_SERVER_SIDE_CURSORS'])"
    environment = {**os.environ, "PREPARED_STATEMENTS": value}
    done = subprocess.run(
        [sys.executable, "-c", said], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(value == "0")


def test_a_label_by_somebody_who_came_while_the_stream_was_read_is_in_it(
    looks, behind_a_pooler, monkeypatch
) -> None:
    campaign = looks[0].task.campaign
    monkeypatch.setattr(annotation_lines, "CHUNK", 3)
    stream = labelled_rows(annotations_of(campaign))
    seen = [next(stream)[0]]
    late = make_annotation(make_task(campaign), make_user())
    seen.extend(annotation for annotation, _ in stream)
    assert [row.pk for row in seen] == [*(row.pk for row in looks), late.pk]


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_the_server_holds_no_copy_of_the_rows() -> None:
    solutions = [make_solution() for _ in range(5)]
    with CaptureQueriesContext(connection) as statements:
        chunks = in_chunks(Solution.objects.order_by("pk"), 2)
        seen = next(chunks)
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM pg_cursors WHERE is_holdable")
            assert cursor.fetchall() == []
        solutions[0].delete()
        solutions[2].delete()
        late = make_solution()
        seen += [row for chunk in chunks for row in chunk]
    assert [row.pk for row in seen] == [row.pk for row in (*seen[:2], *solutions[3:], late)]
    assert [query["sql"] for query in statements if "WITH HOLD" in query["sql"]] == []


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_two_columns_order_the_rows_as_within_one(looks) -> None:
    rows = annotations_of(looks[0].task.campaign)
    assert [row for chunk in in_chunks(rows, 3) for row in chunk] == looks
    with transaction.atomic():
        assert [row for chunk in in_chunks(rows, 3) for row in chunk] == looks


@pytest.mark.django_db(transaction=True)
def test_records_of_many_ids_come_in_their_order_and_no_query_names_more_than_a_chunk_of_them(
    monkeypatch,
) -> None:
    monkeypatch.setattr(queries, "CHUNK", 2)
    ids = [make_solution().pk for _ in range(5)]
    with CaptureQueriesContext(connection) as statements:
        records = list(queries.records_of([*reversed(ids), ids[1]]))
    assert [record.id for record in records] == [str(pk) for pk in ids]
    assert not any(sum(str(pk) in re.findall(r"\d+", query["sql"]) for pk in ids) > 2 for query in statements)
