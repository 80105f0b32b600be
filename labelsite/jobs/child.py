"""One child process for one attempt of a job: its files, its environment, its progress, and its end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext_noop

from labelsite.embedded.process import die_with_parent
from labelsite.jobs.errors import (
    ChildFailed,
    ChildKilled,
    ChildRefused,
    ChildShutOut,
    ChildStopped,
    ChildUnserved,
    LostLease,
)
from labelsite.jobs.failures import LONGEST
from labelsite.jobs.lease import Lease, machine
from labelsite.jobs.models import Job
from labelsite.jobs.series import SeriesWriter
from labelsite.jobs.shared_folder import VAR_PLACE
from labelsite.jobs.stopping import StopLater
from ml.errors import EXIT_IN_USE, EXIT_SERVER_AWAY
from ml.said import Said, heard

# What a child may see of our environment, so that a job obeys what the same command obeys when it is run by hand. Our
# addresses and secrets are left out by not being named here. Code that a model wrote sees none of it: the sandbox
# starts its processes with an environment of its own.
KEPT_VARIABLES = frozenset(
    (
        *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV", "LD_LIBRARY_PATH"),
        *("CC", "CXX", "RAYON_NUM_THREADS"),
        # How a policy's server is reached. A proxy's own password stands in its address, and is needed there.
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    )
)
KEPT_PREFIXES = ("OMP_", "MKL_", "CUDA_", "NVIDIA_", "HF_", "MISSTEP_")
LARGEST_LOG = 2 * 2**20
LARGEST_LINE = 4 * 2**20
# Of what it says to people, a line that does not end is kept from here on.
LONGEST_WORDS = 2**16
# A training promises to save its state within 30 seconds when it is asked to stop; no child is killed before that.
STOP_GRACE_SECONDS = 35.0
# How a process ends that SIGTERM ended, and one that saved its state first and then says so.
STOPPED = (-signal.SIGTERM, 128 + signal.SIGTERM)


def environment() -> dict[str, str]:
    """The child's environment: no database, no broker, no secret, one thread unless told otherwise."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT_VARIABLES or name.startswith(KEPT_PREFIXES)
    }
    return {"OMP_NUM_THREADS": "1", **kept, "MISSTEP_PROGRESS": "json", "PYTHONUNBUFFERED": "1"}


def command_line(job: Job) -> list[str]:
    """`spec["command"]` if there is one, else `python -m ml VERB` with `spec["arguments"]`.

    In both, `{in}`, `{out}` and `{job}` stand for the job's folders, and `{var}` for this host's VAR.
    """
    spec: Mapping[str, Any] = job.spec
    command = spec.get("command") or [sys.executable, "-m", "ml", job.verb, *spec.get("arguments", [])]
    folders = {"{in}": job.inputs, "{out}": job.outputs, "{job}": job.folder, VAR_PLACE: settings.VAR}
    filled = []
    for part in command:
        text = str(part)
        for name, folder in folders.items():
            text = text.replace(name, str(folder))
        filled.append(text)
    return filled


def run(job: Job, lease: Lease, grace: float = STOP_GRACE_SECONDS) -> dict[str, Any]:
    """Run the child to its end and return the JSON object that it printed last ({} if none).

    Where this process is told to stop meanwhile, the child is asked to end too, and the signal is passed on after it.
    Raises ChildRefused (it says why), ChildFailed (it broke down), ChildKilled (a signal ended it), ChildStopped
    (SIGTERM did), ChildShutOut (another one writes to its folder), ChildUnserved (a server is away), JobCancelled,
    LostLease.
    """
    folder = job.attempt_folder
    for needed in (folder, job.inputs, job.outputs):
        needed.mkdir(parents=True, exist_ok=True)
    _end_earlier_child(job.folder, lease, grace)
    command = command_line(job)
    (folder / "spec.json").write_text(
        json.dumps({"verb": job.verb, "attempt": job.attempt, "command": command, "spec": job.spec}, indent=1)
    )
    with StopLater() as stop:
        process = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
        try:
            _remember(process.pid, job.folder)
            return _Watch(job, lease, process, stop, grace).to_the_end()
        finally:
            # Whatever the child started is in its group, and must not outlive it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class _Watch:
    """Reads what the child writes while it runs, and ends it when the lease or a signal to this process says so."""

    def __init__(
        self, job: Job, lease: Lease, process: subprocess.Popen[bytes], stop: StopLater, grace: float
    ) -> None:
        self.job, self.lease, self.process, self.stop, self.grace = job, lease, process, stop, grace
        self.result: dict[str, Any] = {}
        # Why the child refuses its work; empty where it says so in no words that anybody could be told.
        self.refusal: str | None = None
        self.words: deque[str] = deque(maxlen=20)
        self.unfinished_line = self.unfinished_words = b""
        self.asked_to_stop_at: float | None = None

    def to_the_end(self) -> dict[str, Any]:
        folder = self.job.attempt_folder
        assert self.process.stdout and self.process.stderr
        with (
            selectors.DefaultSelector() as selector,
            open(folder / "log.txt", "ab") as log,
            SeriesWriter(self.job.folder, self.job.attempt) as series,
            self.process.stdout as stdout,
            self.process.stderr as stderr,
        ):
            selector.register(stdout, selectors.EVENT_READ)
            selector.register(stderr, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select(0.25):
                    part = os.read(key.fd, 65536)
                    if not part:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is stderr:
                        self._take_log(part, log)
                    else:
                        self._take_output(part, series)
                self._obey()
                if self.process.poll() is not None and not selector.select(0):
                    # A grandchild may hold the pipe open for ever; the child itself has ended.
                    break
        return self._verdict(self.process.wait())

    def _take_log(self, part: bytes, log: IO[bytes]) -> None:
        lines = (self.unfinished_words + part).splitlines(keepends=True)
        is_whole = lines[-1].endswith((b"\n", b"\r"))
        # The rest of a last line may still be under way: what is told must not begin amid it.
        self.unfinished_words = b"" if is_whole else lines.pop()[-LONGEST_WORDS:]
        self.words.extend(line.decode(errors="replace") for line in lines)
        room = LARGEST_LOG - log.tell()
        if room > 0:
            log.write(part[:room] if len(part) <= room else part[:room] + b"\n[the log is full]\n")
            log.flush()

    def _take_output(self, part: bytes, series: SeriesWriter) -> None:
        *lines, self.unfinished_line = (self.unfinished_line + part).split(b"\n")
        if len(self.unfinished_line) > LARGEST_LINE:
            self.unfinished_line = b""
        for line in lines:
            try:
                said = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if not isinstance(said, dict):
                continue
            if isinstance(said.get("progress"), dict):
                self._take_report(said["progress"], series)
            elif "refusal" in said:
                self._take_refusal(said["refusal"])
            else:
                self.result = said

    def _take_report(self, report: dict[str, Any], series: SeriesWriter) -> None:
        if report.keys() == {"message"}:
            # Why the work waits (`ml.progress.tell`): its figures stand as they were.
            self.lease.note({**(self.job.progress or {}), **report})
        else:
            self.lease.note(report)
            series.add(report)

    def _take_refusal(self, told: object) -> None:
        try:
            self.refusal = heard(told, LONGEST)
        except ValueError:
            self.refusal = ""

    def _obey(self) -> None:
        if self.lease.lost.is_set():
            raise LostLease(self.job)
        if not self.lease.cancelled.is_set() and not self.stop.is_asked:
            return
        if self.asked_to_stop_at is None:
            self.asked_to_stop_at = time.monotonic()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
        elif time.monotonic() - self.asked_to_stop_at > self.grace:
            self.process.kill()

    def _verdict(self, status: int) -> dict[str, Any]:
        # Who asked for the end decides what it means: a cancelled job is not tried again.
        self.lease.check()
        if status == 0:
            return self.result
        detail = self._last_words()
        if status in STOPPED:
            raise ChildStopped(Said(gettext_noop("Its process was told to stop.")), detail)
        if status == -signal.SIGKILL:
            words = gettext_noop("The system killed its process, most often because memory ran out.")
            raise ChildKilled(Said(words), detail)
        if status < 0:
            words = gettext_noop("The system ended its process (%(signal)s).")
            raise ChildKilled(Said(words, signal=signal.Signals(-status).name), detail)
        silent = gettext_noop("Its process ended with status %(status)s and without a word.")
        kind = {EXIT_IN_USE: ChildShutOut, EXIT_SERVER_AWAY: ChildUnserved}.get(
            status, ChildFailed if self.refusal is None else ChildRefused
        )
        raise kind(self.refusal or detail or Said(silent, status=status))

    def _last_words(self) -> str:
        """Without the command's name, which nobody typed."""
        lines = (*self.words, self.unfinished_words.decode(errors="replace"))
        said = [line.strip() for line in lines if line.strip()]
        return re.sub(r"^python -m ml \w+: (error: )?", "", said[-1])[:2000] if said else ""


def _remember(pid: int, folder: Path) -> None:
    note = {"pid": pid, "host": machine(), "started": _start_time(pid)}
    written = folder / "child.json.partial"
    written.write_text(json.dumps(note))
    written.replace(folder / "child.json")


def _end_earlier_child(folder: Path, lease: Lease, grace: float) -> None:
    """End the child of an earlier attempt if it still runs: its runner may be stopped, not dead.

    One whose runner died was asked to end by the kernel, and may be saving what this attempt is to go on from.
    """
    try:
        note = json.loads((folder / "child.json").read_text())
    except (FileNotFoundError, ValueError):
        return
    if note["host"] != machine():
        return
    for way_to_end, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 10.0)):
        if not _is_the_same(note):
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(note["pid"]), way_to_end)
        deadline = time.monotonic() + seconds
        while _is_the_same(note) and time.monotonic() < deadline:
            lease.check()
            time.sleep(0.05)
    if _is_the_same(note):
        words = gettext_noop("Process %(process)s of an earlier attempt does not end.")
        raise ChildKilled(Said(words, process=note["pid"]))


def _is_the_same(note: Mapping[str, Any]) -> bool:
    """Whether the process of the note runs: its start time tells it from a stranger that was given its id later."""
    return bool(note["started"]) and _start_time(int(note["pid"])) == note["started"]


def _start_time(pid: int) -> str | None:
    """When the process started, in the kernel's ticks; None if it does not run (or there is no /proc)."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if facts[0] in "ZX" else facts[19]
