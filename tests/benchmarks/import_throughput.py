"""How fast an import is beside raw COPY into the same tables, measured in the same run.

Makes a PRM800K file of synthetic solutions with alternatives, imports it into a database of its own, then
copies the very same step and rating rows with plain COPY into tables that are as full and indexed. Prints one
JSON object: rows per second of both, their ratio, the peak memory of the import, and the time of importing
the file a second time. Run it with `python -m tests.benchmarks.import_throughput --rows 800000`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000, help="step labels in the file")
    parser.add_argument("--already", type=int, default=0, help="step labels that are in the tables before")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="misstep-bench-") as folder:
        os.environ["VAR"] = folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "labelsite.settings"
        from labelsite.embedded.supervisor import hold_servers

        hold = hold_servers(Path(folder), ["postgres"])
        os.environ["DATABASE_URL"] = hold.urls["postgres"]
        os.environ.setdefault("BROKER_URL", "memory://")
        try:
            result = _measure(Path(folder), chosen.rows, chosen.already)
        finally:
            from django.db import connections

            connections.close_all()
            hold.release()
    print(json.dumps(result))
    return 0


def write_file(path: Path, rows: int, seed: int) -> int:
    """A PRM800K file with at least `rows` step labels; returns how many it has."""
    draw, written = random.Random(seed), 0
    with path.open("w") as stream:
        while written < rows:
            steps = [_step(draw) for _ in range(draw.randint(6, 18))]
            written += sum(len(step["completions"]) for step in steps)
            record = {
                "labeler": "bench",
                "timestamp": "2026-01-01T00:00:00",
                "generation": None,
                "is_quality_control_question": False,
                "is_initial_screening_question": False,
                "question": {"problem": f"Problem {draw.random()}", "ground_truth_answer": "1"},
                "label": {"steps": steps, "total_time": 1000, "finish_reason": "solution"},
            }
            stream.write(json.dumps(record) + "\n")
    return written


def _step(draw: random.Random) -> dict[str, Any]:
    completions = [
        {
            "text": f"{draw.random()} " + "so the sum of both sides is $x + 1$. " * 3,
            "rating": 1,
            "flagged": False,
        }
        for _ in range(draw.choice([1, 1, 2, 5]))
    ]
    return {"completions": completions, "human_completion": None, "chosen_completion": 0}


def _measure(folder: Path, rows: int, already: int) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command

    from labelsite.annotations.importers import import_file

    call_command("migrate", verbosity=0)
    if already:
        write_file(folder / "before.jsonl", already, seed=1)
        import_file(folder / "before.jsonl", "prm800k", "Before")
    labels = write_file(folder / "bench.jsonl", rows, seed=2)
    before = _peak_megabytes()
    first = _seconds(lambda: import_file(folder / "bench.jsonl", "prm800k", "Bench"))
    memory = _peak_megabytes()
    second = _seconds(lambda: import_file(folder / "bench.jsonl", "prm800k", "Bench"))
    raw = _raw_copy()
    return {
        "step_labels": labels,
        "labels_before": already,
        "import_seconds": round(first, 2),
        "import_labels_per_second": round(labels / first),
        "raw_copy_seconds": round(raw, 2),
        "raw_copy_labels_per_second": round(labels / raw),
        "ratio_to_raw_copy": round(raw / first, 3),
        "second_import_seconds": round(second, 2),
        "peak_megabytes": round(memory),
        "peak_megabytes_before": round(before),
    }


def _raw_copy() -> float:
    """Take the imported step and rating rows out, remove them, and time plain COPY of them back in."""
    from django.db import connection

    tables = {
        "problems_step": "id, solution_id, position, option, text, source, is_chosen",
        "annotations_steprating": "id, annotation_id, step_id, rating, flagged, milliseconds, note",
    }
    seconds = 0.0
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM campaigns_campaign WHERE name = 'Bench'")
        (campaign,) = cursor.fetchone()
        mine = f"(SELECT solution_id FROM campaigns_task WHERE campaign_id = {campaign})"
        steps = f"(SELECT id FROM problems_step WHERE solution_id IN {mine})"
        wanted = {"problems_step": f"solution_id IN {mine}", "annotations_steprating": f"step_id IN {steps}"}
        kept: dict[str, Path] = {}
        for table, columns in tables.items():
            kept[table] = Path(os.environ["VAR"]) / f"{table}.copy"
            with (
                cursor.copy(f"COPY (SELECT {columns} FROM {table} WHERE {wanted[table]}) TO STDOUT") as out,
                kept[table].open("wb") as stream,
            ):
                for block in out:
                    stream.write(block)
        for table in reversed(tables):
            cursor.execute(f"DELETE FROM {table} WHERE {wanted[table]}")
        for table in tables:
            cursor.execute(f"VACUUM ANALYZE {table}")
        start = time.perf_counter()
        cursor.execute("BEGIN")
        for table, columns in tables.items():
            with (
                cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy,
                kept[table].open("rb") as stream,
            ):
                while block := stream.read(2**16):
                    copy.write(block)
        cursor.execute("COMMIT")
        seconds = time.perf_counter() - start
    return seconds


def _seconds(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
