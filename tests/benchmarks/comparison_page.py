"""The comparison page's first view at a million labels, on a real PostgreSQL: nothing cached, every figure computed.

Prints one JSON object: the time of the whole request and of its parts, the median of the repetitions, and what a
second view of the same labels takes. `--explain` also prints the plan of each query of the first view. Run it with
`python -m tests.benchmarks.comparison_page [--labels 1000000]`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import defaultdict
from typing import Any

from tests.benchmarks.annotators.cpu import Meter
from tests.benchmarks.annotators.site import database

STEPS = 10
PEOPLE = 20
# Looks at each solution, on average, and the labels of a look: half of them end at a mistake somewhere.
LOOKS_PER_SOLUTION = 1.25
LABELS_PER_LOOK = (STEPS + (STEPS + 1) / 2) / 2


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--explain", action="store_true")
    chosen = parser.parse_args(arguments)
    with database() as keeper:
        campaign = make_labels(chosen.labels)
        found = measure(campaign, chosen.repeats, keeper, chosen.explain)
        print(json.dumps({"benchmark": "comparison_page"} | found))
    return 0


def make_labels(labels: int) -> Any:
    """A campaign with that many labels by twenty people, a tenth of its tasks gold, and a run of estimates."""
    from django.db import connection

    from labelsite.accounts.models import User
    from labelsite.campaigns.services import update_campaign
    from tests.benchmarks.annotators.site import make_tasks
    from tests.factories import make_estimate_run

    looks = round(labels / LABELS_PER_LOOK)
    campaign = make_tasks(round(looks / LOOKS_PER_SOLUTION), overlap=2, steps=STEPS)
    people = [User.objects.create(username=f"person-{number}", password="!").pk for number in range(PEOPLE)]
    run = make_estimate_run()
    update_campaign(campaign, {"estimate_run": run})
    with connection.cursor() as cursor:
        cursor.execute("SELECT setseed(0.5)")
        cursor.execute(
            "UPDATE campaigns_task SET gold = ARRAY[(random() * 11)::int - 1]"
            " WHERE campaign_id = %s AND id %% 10 = 0",
            [campaign.pk],
        )
        cursor.execute(
            "INSERT INTO autolabels_solutionestimate (run_id, solution_id, first_mistake, q_values, soft_values)"
            " SELECT %s, solution_id, CASE WHEN drawn.mistake < 10 THEN drawn.mistake END, drawn.q, drawn.q FROM"
            " (SELECT solution_id, (random() * 20)::int AS mistake,"
            "  ARRAY(SELECT round((16 * random() + 0 * task.id)::numeric) / 16"
            "        FROM generate_series(1, %s))::float8[] AS q"
            "  FROM campaigns_task AS task WHERE campaign_id = %s ORDER BY id) AS drawn",
            [run.pk, STEPS, campaign.pk],
        )
        # A look ends at a mistake, or goes to the end of the solution.
        cursor.execute(
            "INSERT INTO annotations_annotation (task_id, annotator_id, revision, is_live, origin, finish_reason,"
            " reason, trajectory, total_time_ms, exposure, guideline_version, idempotency_key, broken_rule, extra,"
            " created_at) SELECT id, person, 1, true, 'annotator',"
            " CASE WHEN mistake < %(steps)s THEN 'found_error' ELSE 'solution' END, '',"
            " array_fill(1::smallint, ARRAY[least(mistake, %(steps)s)])"
            "     || CASE WHEN mistake < %(steps)s THEN ARRAY[-1]::smallint[] ELSE '{}' END,"
            " 60000, 'after', 1, gen_random_uuid(), '', '{}', now() FROM"
            " (SELECT task.id, (%(people)s::bigint[])[1 + (task.id + look) %% %(count)s] AS person,"
            "  floor(random() * 2 * %(steps)s)::int AS mistake FROM campaigns_task AS task,"
            "  generate_series(0, CASE WHEN task.id %% 4 = 0 THEN 1 ELSE 0 END) AS look"
            "  WHERE campaign_id = %(campaign)s ORDER BY random()) AS looks",
            {"steps": STEPS, "people": people, "count": PEOPLE, "campaign": campaign.pk},
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return campaign


def measure(campaign: Any, repeats: int, keeper: int, explain: bool) -> dict[str, Any]:
    """Views the page as a reviewer, each time with nothing kept, and once more with everything kept."""
    from django.core.cache import cache
    from django.db import connection
    from django.test import Client

    from tests.factories import make_user

    client = Client(headers={"host": "localhost"})
    client.force_login(make_user("reviewer"))
    address = f"/campaigns/{campaign.pk}/comparison/"
    first, sql, second, cpu = [], defaultdict(list), [], []
    for repeat in range(repeats + 1):
        cache.clear()
        queries: list[tuple[str, float, Any]] = []
        meter = Meter({"postgres": keeper})
        with connection.execute_wrapper(_timer(queries)):
            first.append(_view(client, address))
        cpu.append(meter.report(1))
        for query, seconds, _ in queries:
            sql[query].append(seconds)
        second.append(_view(client, address))
        if explain and repeat == repeats:
            _explain(queries)
    slowest = sorted(((statistics.median(times), query) for query, times in sql.items()), reverse=True)[:4]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), sum(cardinality(trajectory)) FROM annotations_annotation")
        looks, labels = cursor.fetchone()
    return {
        "labels": labels,
        "looks": looks,
        "first_view_s": round(statistics.median(first[1:]), 3),
        "first_views_s": [round(seconds, 3) for seconds in first[1:]],
        "first_view_cpu_ms": statistics.median(spent["cpu_ms_per_request"]["all"] for spent in cpu[1:]),
        "cores_used_by_other_programs": statistics.median(
            spent["cores_used_by_other_programs"] for spent in cpu[1:]
        ),
        "in_the_database_s": round(sum(statistics.median(times) for times in sql.values()), 3),
        "slowest_queries_s": [
            [round(seconds, 3), " ".join(query.split())[:60]] for seconds, query in slowest
        ],
        "second_view_s": round(statistics.median(second[1:]), 3),
    }


def _view(client: Any, address: str) -> float:
    started = time.perf_counter()
    answer = client.get(address)
    took = time.perf_counter() - started
    assert answer.status_code == 200 and b"<svg" in answer.content, answer.status_code
    return took


def _timer(queries: list[tuple[str, float, Any]]) -> Any:
    def timed(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        started = time.perf_counter()
        result = execute(sql, params, many, context)
        queries.append((sql, time.perf_counter() - started, params))
        return result

    return timed


def _explain(queries: list[tuple[str, float, Any]]) -> None:
    from django.db import connection

    for sql, seconds, params in queries:
        if seconds > 0.02:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {sql}", params)
                plan = "\n".join(row for (row,) in cursor.fetchall())
            print(f"{seconds:.3f} s: {sql}\n{plan}\n", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
