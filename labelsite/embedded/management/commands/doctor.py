from __future__ import annotations

import json
import os
import platform
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, connection
from django.db.models import Count

from labelsite.durability import durability
from labelsite.embedded import broker_check, https_check
from labelsite.embedded.findings import BAD, GOOD, MARKS, WEAK, Finding
from labelsite.embedded.tables import waiting_migrations
from labelsite.jobs.models import Job, SiteIdentity, Worker
from labelsite.jobs.shared_folder import refusal
from labelsite.jobs.workers import queues_served
from labelsite.snapshots.models import Snapshot
from labelsite.static_files import out_of_date
from labelsite.training.models import Checkpoint

PACKAGES = ("Django", "psycopg", "celery", "torch", "transformers", "pydantic-monty", "playwright")
WORKER_COMMANDS = {
    "default": "celery -A labelsite worker -Q default",
    # Two trainings at once would share one device.
    "gpu": "celery -A labelsite worker -Q gpu -c 1",
}
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser")
# Asked in a process of its own: this one must not load torch.
ASK_FOR_GPU = (
    "import json, torch; cuda = torch.cuda.is_available(); "
    "print(json.dumps([torch.cuda.get_device_name(0), torch.cuda.mem_get_info(0)[1]] if cuda else None))"
)
# Monty runs the first alone. It lacks numpy, so the second shows the level of the layers behind it.
ASK_SANDBOX = (
    "import json; from ml.execution import sandbox; box = sandbox();"
    "runs = [box.execute([code]) for code in ('print(6 * 7)', 'import numpy\\nprint(6 * 7)')];"
    "print(json.dumps([box.level, [run.verdict for run in runs], [run.output.strip() for run in runs],"
    " runs[-1].error])); box.close()"
)


class Command(BaseCommand):
    help = "Say in one page what works here, and how to mend what does not. Ends with 1 if something is BAD."
    # The database may be the very thing that is broken.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of a page")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = [finding for look in LOOKS for finding in _looked(look)]
        is_well = all(finding.state != BAD for finding in findings)
        if options["json"]:
            body = {"ok": is_well, "findings": [asdict(finding) for finding in findings]}
            self.stdout.write(json.dumps(body, ensure_ascii=False))
        else:
            for finding in findings:
                self.stdout.write(f"{MARKS[finding.state]} {finding.name:<12} {finding.found}")
                if finding.mend:
                    self.stdout.write(f"{'':<18}to mend: {finding.mend}")
        if not is_well:
            sys.exit(1)


def _looked(look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """What a look found; one that fails is a finding, too, and the others are still made."""
    try:
        return list(look())
    except Exception as problem:
        name = look.__name__.replace("_", " ")
        return [
            Finding(name, BAD, f"{type(problem).__name__}: {problem}", "mend what this names, or report it")
        ]


def versions() -> Iterator[Finding]:
    known = []
    for package in PACKAGES:
        try:
            known.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            known.append(f"no {package}")
    yield Finding("versions", GOOD, f"Python {platform.python_version()}, {', '.join(known)}")


def database() -> Iterator[Finding]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            number = cursor.fetchone()[0]
        values = durability()
        waiting = waiting_migrations()
    except DatabaseError as problem:
        reason = os.environ.get("MISSTEP_EMBEDDED_PROBLEM") or str(problem).strip().splitlines()[0]
        yield Finding("database", BAD, reason, "set DATABASE_URL to a PostgreSQL that answers, or unset it")
        return
    kind = "embedded" if str(settings.VAR) in str(connection.settings_dict["HOST"]) else "own server"
    yield Finding("database", GOOD, f"PostgreSQL {number} ({kind})")
    off = [name for name, value in values.items() if value == "off"]
    shown = ", ".join(f"{name} {value}" for name, value in values.items())
    mend = (
        f"set {', '.join(off)} to on: a power cut could take back labels that were acknowledged"
        if off
        else ""
    )
    yield Finding("durability", BAD if off else GOOD, shown, mend)
    if waiting:
        yield Finding("tables", BAD, f"{waiting} migrations are missing", "python manage.py migrate")


def broker() -> Iterator[Finding]:
    yield broker_check.look(settings.BROKER_URL)


def workers() -> Iterator[Finding]:
    try:
        alive = [str(worker) for worker in Worker.objects.alive().order_by("name")]
        missing = sorted(set(settings.JOB_QUEUES) - queues_served())
        states = dict(Job.objects.values_list("state").annotate(Count("pk")).order_by())
    except DatabaseError:
        yield Finding("workers", BAD, "unknown, for the database or its tables are missing", "see above")
        return
    mend = f"start one: {WORKER_COMMANDS[missing[0]]} (make demo starts all)" if missing else ""
    yield Finding("workers", WEAK if missing else GOOD, "; ".join(alive) or "none is running", mend)
    counted = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    yield Finding("jobs", GOOD, counted or "none yet")


def sandbox() -> Iterator[Finding]:
    answer = _ask(ASK_SANDBOX)
    mend = "without it steps with code are not judged; pip install pydantic-monty, Linux 5.13 or newer"
    if isinstance(answer, str):
        yield Finding("sandbox", BAD, answer, mend)
        return
    level, verdicts, outputs, error = answer
    monty_works, all_work = (
        [*zip(verdicts[:n], outputs[:n], strict=True)] == [("ok", "42")] * n for n in (1, 2)
    )
    state = GOOD if all_work else WEAK if monty_works else BAD
    why = "" if all_work else f": {error}"
    yield Finding("sandbox", state, f"level {level}, trial run {verdicts[-1]}{why}", "" if all_work else mend)


def grader() -> Iterator[Finding]:
    try:
        yield Finding("grader", GOOD, f"math-verify {version('math-verify')}")
    except PackageNotFoundError:
        found = "no math-verify: an answer such as 1+x for x+1 is stored as wrong"
        yield Finding("grader", BAD, found, "pip install -c constraints.txt -e .")


def gpu() -> Iterator[Finding]:
    answer = _ask(ASK_FOR_GPU)
    if isinstance(answer, str):
        yield Finding(
            "gpu", WEAK, f"unknown: {answer}", "pip install 'misstep[ml]' for training on this machine"
        )
    elif answer is None:
        yield Finding("gpu", GOOD, "none; the gpu queue computes on the CPU")
    else:
        yield Finding("gpu", GOOD, f"{answer[0]}, {answer[1] / 2**30:.0f} GiB")


def browser() -> Iterator[Finding]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    mend = "" if found else "for the browser tests only; on Debian: apt-get install chromium-headless-shell"
    yield Finding("chromium", GOOD if found else WEAK, found or "not found", mend)


def disk() -> Iterator[Finding]:
    # On a fresh host VAR is made by whatever first writes to it.
    there = next(folder for folder in (settings.VAR, *settings.VAR.parents) if folder.exists())
    free = shutil.disk_usage(there).free / 1e9
    state = GOOD if free >= 5 else WEAK if free >= 1 else BAD
    found = f"{free:.1f} GB free" + ("" if there == settings.VAR else f"; {settings.VAR} is not there yet")
    yield Finding("disk", state, found, "" if state == GOOD else "make room, or move VAR")


def styles() -> Iterator[Finding]:
    """Whether browsers get this version's styles and scripts; an upgrade must gather them anew."""
    mend = "python manage.py collectstatic --noinput --clear, then start the site again"
    if not (settings.STATIC_ROOT / "app.css").exists():
        yield Finding("styles", WEAK, "not gathered: browsers ask again for each file on each page", mend)
    elif old := out_of_date(settings.STATIC_ROOT):
        yield Finding("styles", BAD, f"{len(old)} files are of another version, such as {old[0]}", mend)
    else:
        yield Finding("styles", GOOD, "gathered, of this version")


def https() -> Iterator[Finding]:
    if not settings.HTTPS:
        return
    address = https_check.public_address()
    if address is None:
        yield Finding("https", WEAK, "no public name is known", "set ALLOWED_HOSTS to the site's name")
        return
    is_served, found, mend = https_check.asked(address)
    yield Finding("https", {True: GOOD, False: BAD, None: WEAK}[is_served], found, mend)


def shared_folder() -> Iterator[Finding]:
    try:
        refused = refusal()
        known = SiteIdentity.objects.first()
    except DatabaseError:
        return
    if refused:
        yield Finding(
            "VAR", BAD, refused, "see Machines of their own in docs/deploying.md; jobs wait until then"
        )
    elif known is None:
        yield Finding(
            "VAR", WEAK, f"{settings.VAR}, not yet known to be this site's", "python manage.py migrate"
        )
    else:
        yield Finding("VAR", GOOD, f"{settings.VAR}, identity {known.value[:8]}")


def files() -> Iterator[Finding]:
    """Whether the rows' files are there, as after a restore that put back the one and not the other."""
    try:
        snapshots, checkpoints = (
            list(rows.values_list("folder", flat=True))
            for rows in (Snapshot.objects.all(), Checkpoint.objects.all())
        )
    except DatabaseError:
        return
    named = [f"snapshots/{name}" for name in snapshots] + [f"checkpoints/{name}" for name in checkpoints]
    missing = sorted({name for name in named if not (settings.VAR / name).is_dir()})
    found = f"{len(snapshots)} snapshots, {len(checkpoints)} checkpoints"
    if missing:
        found = f"{len(missing)} folders are missing, such as {missing[0]}"
    mend = "put the folders of VAR back from the backup that the database came from" if missing else ""
    yield Finding("files", BAD if missing else GOOD, found, mend)


def secrets() -> Iterator[Finding]:
    kept = settings.VAR / "secret_key"
    if settings.DEBUG:
        yield Finding("debug", WEAK, "DEBUG=1 shows internals to visitors", "unset DEBUG where others come")
    if kept.exists() and stat.S_IMODE(kept.stat().st_mode) & 0o077:
        yield Finding("secret key", BAD, f"{kept} can be read by others", f"chmod 600 '{kept}'")


def _ask(code: str) -> Any:
    """What a child process printed as JSON, or (as text) why it could not say."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "no answer within two minutes"
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
    return json.loads(done.stdout.strip().splitlines()[-1])


LOOKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    versions,
    database,
    broker,
    workers,
    sandbox,
    grader,
    gpu,
    browser,
    disk,
    files,
    shared_folder,
    styles,
    https,
    secrets,
)
