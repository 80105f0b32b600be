"""People labeling at once over HTTP, on a real PostgreSQL: latencies, annotations per second, and what must hold.

Three parts, each prints one JSON object. `crowd`: 50 annotators for a minute, overlap 3, with a watcher that
counts the looks at every task all the while. `sprint`: 20 people without think time on 10,000 solutions.
`claim`: the next task's time at 10,000 and at 1,000,000 tasks. Run it with
`python -m tests.benchmarks.web_annotators [--part crowd] [--seconds 60]`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

CSRF = "a" * 32
STEPS = 6
PORT = 18461


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=["crowd", "sprint", "claim", "all"], default="all")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument(
        "--million", type=int, default=1_000_000, help="tasks of the large campaign in `claim`"
    )
    chosen = parser.parse_args(arguments)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "crowd": lambda: crowd(chosen.tasks, chosen.seconds),
        "sprint": lambda: sprint(chosen.tasks, chosen.seconds),
        "claim": lambda: claims(chosen.tasks, chosen.million),
    }
    with database():
        for name in parts if chosen.part == "all" else [chosen.part]:
            print(json.dumps({"benchmark": f"web_annotators/{name}"} | parts[name]()), flush=True)
    return 0


@contextmanager
def database() -> Iterator[None]:
    """A PostgreSQL of its own, durable as in production, with the tables in it."""
    with tempfile.TemporaryDirectory(prefix="misstep-bench-") as folder:
        os.environ |= {
            "VAR": folder,
            "DJANGO_SETTINGS_MODULE": "labelsite.settings",
            "BROKER_URL": "memory://",
        }
        from labelsite.embedded.supervisor import hold_servers

        hold = hold_servers(Path(folder), ["postgres"])
        os.environ["DATABASE_URL"] = hold.urls["postgres"]
        try:
            import django
            from django.core.management import call_command

            django.setup()
            call_command("migrate", verbosity=0)
            yield
        finally:
            from django.db import connections

            connections.close_all()
            hold.release()


@contextmanager
def server() -> Iterator[None]:
    """The site as it runs in production: two processes on two cores."""
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "labelsite.wsgi",
        "--bind",
        f"127.0.0.1:{PORT}",
        "--workers",
        "2",
    ]
    command += ["--worker-class", "gthread", "--threads", "8", "--keep-alive", "60", "--log-level", "error"]
    command.append("--no-control-socket")
    process = subprocess.Popen(command, env=os.environ | {"DATABASE_POOL": "8"})
    try:
        for _ in range(300):
            try:
                http.client.HTTPConnection("127.0.0.1", PORT, timeout=1).connect()
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def make_tasks(tasks: int, overlap: int, steps: int = STEPS) -> Any:
    """A campaign with `tasks` solutions of `steps` steps, written with SQL."""
    from django.db import connection

    from labelsite.campaigns.services import create_campaign
    from labelsite.problems.models import Problem

    campaign = create_campaign(f"Bench {uuid4()}", overlap=overlap)
    problem = Problem.objects.create(
        source="bench",
        external_id=str(campaign.pk),
        digest=str(campaign.pk),
        text="What is $2 + 2$?",
        answer="4",
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO problems_solution (problem_id, external_id, digest, position_count, extra, created_at)"
            " SELECT %s, n::text, n::text, %s, '{}', now() FROM generate_series(1, %s) AS n",
            [problem.pk, steps, tasks],
        )
        cursor.execute(
            "INSERT INTO problems_step (solution_id, position, option, text, source, is_chosen)"
            " SELECT id, position, 0, 'Then $2 + ' || position || ' = ' || position + 2 || '$, as we wanted.', 'model',"
            " true FROM problems_solution, generate_series(0, %s) AS position WHERE problem_id = %s",
            [steps - 1, problem.pk],
        )
        cursor.execute(
            "INSERT INTO campaigns_task (campaign_id, solution_id, kind, state, overlap, remaining, priority,"
            " priority_reason, set_aside_reason, gold_source, created_at) SELECT %s, id, 'work', 'open', %s, %s,"
            " random(), '', '', '', now() FROM problems_solution WHERE problem_id = %s ORDER BY id",
            [campaign.pk, overlap, overlap, problem.pk],
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return campaign


def make_people(campaign: Any, count: int) -> list[str]:
    """`count` members; returns the session cookie of each."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from labelsite.accounts.models import User
    from labelsite.campaigns.models import Membership

    store = import_module(settings.SESSION_ENGINE).SessionStore
    cookies = []
    for number in range(count):
        user = User.objects.create(username=f"{campaign.pk}-{number}", password="!")
        Membership.objects.create(campaign=campaign, user=user)
        session = store()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        cookies.append(f"{settings.SESSION_COOKIE_NAME}={session.session_key}; csrftoken={CSRF}")
    return cookies


class Person(threading.Thread):
    """One annotator: next, judge at once, submit, until the time is up or nothing is left."""

    def __init__(self, campaign: int, cookie: str, until: float, think: float) -> None:
        super().__init__()
        self.campaign, self.until, self.think = campaign, until, think
        self.headers = {"Cookie": cookie, "X-CSRFToken": CSRF, "Content-Type": "application/json"}
        self.connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
        self.next_times: list[float] = []
        self.submit_times: list[float] = []
        self.acknowledged: list[int] = []
        self.failures: list[str] = []

    def post(self, path: str, body: dict[str, Any], times: list[float]) -> dict[str, Any]:
        started = time.perf_counter()
        self.connection.request("POST", path, json.dumps(body), self.headers)
        response = self.connection.getresponse()
        content = response.read()
        times.append(time.perf_counter() - started)
        if response.status != 200:
            self.failures.append(f"{path}: {response.status} {content[:200]!r}")
        return json.loads(content) if response.status == 200 else {}

    def run(self) -> None:
        while time.perf_counter() < self.until:
            task = self.post(f"/annotate/{self.campaign}/next/", {}, self.next_times)
            if "assignment" not in task:
                return
            if self.think:
                time.sleep(self.think)
            ratings = [{"step": option["id"], "rating": 1, "milliseconds": 5} for option in task["options"]]
            judgement = {"finish_reason": "solution", "ratings": ratings, "total_time_ms": 30}
            body = {"token": task["token"], "key": str(uuid4()), "judgement": judgement}
            done = self.post(f"/annotate/task/{task['assignment']}/submit/", body, self.submit_times)
            if "annotation" in done:
                self.acknowledged.append(done["annotation"])


def percentile(times: list[float], share: float) -> float:
    return round(1000 * sorted(times)[int(len(times) * share)], 1) if times else 0.0


def label(campaign: Any, people: int, seconds: float, think: float, watch: bool) -> dict[str, Any]:
    """Lets everybody label for `seconds`, then checks what the database holds against what was acknowledged."""
    from labelsite.annotations.models import Annotation

    cookies = make_people(campaign, people)
    over: list[tuple[int, int]] = []
    with server():
        warm = Person(campaign.pk, cookies[0], time.perf_counter() + 2, 0)
        warm.run()
        started = time.perf_counter()
        crowd = [Person(campaign.pk, cookie, started + seconds, think) for cookie in cookies]
        for person in crowd:
            person.start()
        while any(person.is_alive() for person in crowd):
            if watch:
                over += over_assigned(campaign.pk)
            time.sleep(0.25)
        for person in crowd:
            person.join()
        took = time.perf_counter() - started
    acknowledged = [pk for person in [warm, *crowd] for pk in person.acknowledged]
    stored = set(Annotation.objects.filter(task__campaign=campaign).values_list("pk", flat=True))
    nexts = [each for person in crowd for each in person.next_times]
    submits = [each for person in crowd for each in person.submit_times]
    failures = [failure for person in crowd for failure in person.failures]
    return {
        "people": people,
        "seconds": round(took, 1),
        "annotations": len(acknowledged) - len(warm.acknowledged),
        "annotations_per_second": round((len(acknowledged) - len(warm.acknowledged)) / took, 1),
        "next_p50_ms": percentile(nexts, 0.5),
        "next_p95_ms": percentile(nexts, 0.95),
        "submit_p50_ms": percentile(submits, 0.5),
        "submit_p95_ms": percentile(submits, 0.95),
        "acknowledged_and_lost": len(set(acknowledged) - stored),
        "tasks_over_overlap": len(over) + len(over_assigned(campaign.pk)),
        "failed_requests": len(failures),
        "first_failures": failures[:3],
    }


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


def crowd(tasks: int, seconds: float) -> dict[str, Any]:
    return label(make_tasks(tasks, overlap=3), people=50, seconds=seconds, think=0.2, watch=True)


def sprint(tasks: int, seconds: float) -> dict[str, Any]:
    return label(make_tasks(tasks, overlap=1), people=20, seconds=seconds, think=0, watch=False)


def claims(small: int, large: int) -> dict[str, Any]:
    """The time of one claim, from a service call, at two sizes of the campaign."""
    from labelsite.accounts.models import User
    from labelsite.campaigns.models import Assignment
    from labelsite.campaigns.services import claim_id, complete

    found: dict[str, Any] = {}
    for name, size in (("small", small), ("large", large)):
        campaign = make_tasks(size, overlap=1, steps=1)
        make_people(campaign, 1)
        user = User.objects.get(username=f"{campaign.pk}-0")
        times = []
        for _ in range(400):
            started = time.perf_counter()
            claimed = claim_id(campaign, user)
            times.append(time.perf_counter() - started)
            lease = Assignment.objects.get(pk=claimed)
            complete(lease.pk, user.pk, str(lease.token))
        found |= {
            f"{name}_tasks": size,
            f"{name}_claim_p50_ms": percentile(times, 0.5),
            f"{name}_claim_p95_ms": percentile(times, 0.95),
        }
    found["p95_ratio"] = round(found["large_claim_p95_ms"] / found["small_claim_p95_ms"], 2)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
