"""People labeling at once over HTTP, on a real PostgreSQL: latencies, annotations per second, and what must hold.

Four parts, each prints one JSON object. `crowd`: 50 annotators for a minute, overlap 3, with a watcher that
counts the looks at every task all the while. `sprint`: 20 people without think time on 10,000 solutions.
`claim`: the next task's time at 10,000 and at 1,000,000 tasks, by turns. `section`: the same for a person who is
kept to one of a campaign's two sections. Run it with
`python -m tests.benchmarks.web_annotators [--part crowd] [--seconds 60]`.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.benchmarks.annotators import crowd as people_at_work
from tests.benchmarks.annotators.cpu import Meter
from tests.benchmarks.annotators.site import ADDRESS, CSRF, database, make_people, make_tasks, server


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=["crowd", "sprint", "claim", "section", "all"], default="all")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument(
        "--million", type=int, default=1_000_000, help="tasks of the large campaign in `claim` and `section`"
    )
    chosen = parser.parse_args(arguments)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "crowd": lambda: crowd(chosen.tasks, chosen.seconds, keeper),
        "sprint": lambda: sprint(chosen.tasks, chosen.seconds, keeper),
        "claim": lambda: claims(chosen.tasks, chosen.million),
        "section": lambda: claims(chosen.tasks, chosen.million, sections=["algebra", "geometry"]),
    }
    with database() as keeper:
        for name in parts if chosen.part == "all" else [chosen.part]:
            print(json.dumps({"benchmark": f"web_annotators/{name}"} | parts[name]()), flush=True)
    return 0


def percentile(times: list[float], share: float, digits: int = 1) -> float:
    """In milliseconds."""
    return round(1000 * sorted(times)[int(len(times) * share)], digits) if times else 0.0


def label(
    campaign: Any, people: int, seconds: float, think: float, keeper: int, *, watch: bool
) -> dict[str, Any]:
    """Lets everybody label for `seconds`, then checks what the database holds against what was acknowledged."""
    from labelsite.annotations.models import Annotation

    cookies = make_people(campaign, people)
    with server() as web, watcher(campaign.pk if watch else None) as over:
        warm = people_at_work.label(meet(campaign, cookies), time.perf_counter() + 2, think)
        everybody = meet(campaign, cookies)
        meter = Meter({"web": web, "postgres": keeper})
        started = time.perf_counter()
        seen = people_at_work.label(everybody, started + seconds, think)
        took = time.perf_counter() - started
        spent = meter.report(len(seen.next) + len(seen.submit))
    stored = set(Annotation.objects.filter(task__campaign=campaign).values_list("pk", flat=True))
    return {
        "people": people,
        "seconds": round(took, 1),
        "annotations": len(seen.acknowledged),
        "annotations_per_second": round(len(seen.acknowledged) / took, 1),
        "next_p50_ms": percentile(seen.next, 0.5),
        "next_p95_ms": percentile(seen.next, 0.95),
        "next_p99_ms": percentile(seen.next, 0.99),
        "submit_p50_ms": percentile(seen.submit, 0.5),
        "submit_p95_ms": percentile(seen.submit, 0.95),
        "submit_p99_ms": percentile(seen.submit, 0.99),
        "acknowledged_and_lost": len(set(warm.acknowledged + seen.acknowledged) - stored),
        "tasks_over_overlap": len(over) + len(over_assigned(campaign.pk)),
        "failed_requests": len(seen.failures),
        "first_failures": seen.failures[:3],
        **spent,
    }


def meet(campaign: Any, cookies: list[str]) -> list[people_at_work.Person]:
    return [people_at_work.Person(ADDRESS, campaign.pk, cookie, CSRF) for cookie in cookies]


@contextmanager
def watcher(campaign: int | None) -> Iterator[list[tuple[int, int]]]:
    """Counts the looks at every task of the campaign all the while; yields what it finds above the overlap."""
    over: list[tuple[int, int]] = []
    stop = threading.Event()

    def watch(campaign: int) -> None:
        while not stop.wait(0.25):
            over.extend(over_assigned(campaign))

    thread = threading.Thread(target=watch, args=[campaign], daemon=True)
    if campaign is not None:
        thread.start()
    yield over
    stop.set()
    if thread.is_alive():
        thread.join()


def over_assigned(campaign: int) -> list[tuple[int, int]]:
    """Tasks that more people hold or have done than their overlap allows, at this moment."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT task.id, count(*) FROM campaigns_task AS task JOIN campaigns_assignment AS lease"
            " ON lease.task_id = task.id AND lease.state <> 'lapsed' WHERE task.campaign_id = %s"
            " GROUP BY task.id HAVING count(*) > task.overlap OR count(*) <> task.overlap - task.remaining",
            [campaign],
        )
        return cursor.fetchall()


def crowd(tasks: int, seconds: float, keeper: int) -> dict[str, Any]:
    return label(make_tasks(tasks, overlap=3), 50, seconds, think=0.2, keeper=keeper, watch=True)


def sprint(tasks: int, seconds: float, keeper: int) -> dict[str, Any]:
    return label(make_tasks(tasks, overlap=1), 20, seconds, think=0, keeper=keeper, watch=False)


def claims(small: int, large: int, samples: int = 2000, sections: Sequence[str] = ()) -> dict[str, Any]:
    """The time of one claim, from a service call, in two campaigns by turns, so that both see the same machine.

    With `sections` the tasks stand in them by turns, and the person may label only in the last one.
    """
    from django.db import connection

    from labelsite.accounts.models import User
    from labelsite.campaigns.models import Assignment
    from labelsite.campaigns.queue import claim_at, desk_of
    from labelsite.campaigns.sections import restrict
    from tests.campaigns.leases import finish

    sizes = {"small": small, "large": large}
    campaigns = {name: make_tasks(size, 1, steps=1, sections=sections) for name, size in sizes.items()}
    users = {}
    for name, campaign in campaigns.items():
        make_people(campaign, 1)
        users[name] = User.objects.get(username=f"{campaign.pk}-0")
        restrict(campaign, users[name].pk, sections[-1:])
    found: dict[str, Any] = {"small_tasks": small, "large_tasks": large, "claims_of_each": samples}
    found["sections"] = len(sections)
    # The wait for the disk is the same for both and hides the rest, so it is left out in a second round.
    for waits, commit in (("", "on"), ("_without_disk", "off")):
        with connection.cursor() as cursor:
            cursor.execute(f"SET synchronous_commit = {commit}")
        times: dict[str, list[float]] = {name: [] for name in campaigns}
        for _ in range(samples):
            for name, campaign in campaigns.items():
                started = time.perf_counter()
                claimed = claim_at(desk_of(campaign.pk, users[name]), users[name])
                times[name].append(time.perf_counter() - started)
                finish(Assignment.objects.get(pk=claimed))
        for name, measured in times.items():
            for share in (50, 95):
                found[f"{name}_claim{waits}_p{share}_ms"] = percentile(measured, share / 100, 2)
        p95 = [found[f"{name}_claim{waits}_p95_ms"] for name in ("large", "small")]
        found[f"p95_ratio{waits}"] = round(p95[0] / p95[1], 2)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
