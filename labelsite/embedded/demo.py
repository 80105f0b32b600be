"""`make demo`: everything on one machine, started together and stopped together.

Each stage says what it does. Nothing here is for production, where a service manager starts the same programs
with DATABASE_URL and BROKER_URL set.
"""

from __future__ import annotations

import errno
import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

from labelsite.embedded.errors import EmbeddedError
from labelsite.embedded.folders import log_file, private_folder
from labelsite.embedded.group import Member, ProcessGroup
from labelsite.embedded.process import die_with_parent
from labelsite.embedded.supervisor import Hold, ensure
from labelsite.environment import ROOT, var_folder

NEEDED_BYTES = 10**9
WEB_ANSWERS_SECONDS = 60.0
# What runs jobs outlasts their children, which save what they have (labelsite.jobs.child.STOP_GRACE_SECONDS, 35).
JOBS_SAVE_SECONDS = 45.0


class DemoError(Exception):
    """The demo cannot start; the message is the one line that says why and what to do."""


class Demo:
    """The stages of a start, in order, and the end of them all."""

    def __init__(self, var: Path, host: str, port: int, with_campaigns: bool = True) -> None:
        self.var, self.host, self.port, self.with_campaigns = var, host, port, with_campaigns
        self.group = ProcessGroup(var, ROOT)
        self.hold: Hold | None = None
        self.lock: IO[str] | None = None
        self.stopping = threading.Event()

    def run(self) -> None:
        """Start everything, wait for the signal to end, stop everything."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask_to_stop)
        # nohup ignores the end of the terminal on purpose.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._ask_to_stop)
        stages = (
            ("Looking for room and a free port", self._check),
            ("Starting PostgreSQL and Valkey", self._start_servers),
            ("Making tables, static files and people", self._prepare),
            ("Starting the web server and the workers", self._start_programs),
            ("Building the demo campaigns (minutes at the first start)", self._build),
            ("Waiting for the first page", self._wait_for_page),
        )
        try:
            for place, (title, stage) in enumerate(stages, 1):
                if self.stopping.is_set():
                    return
                started = time.monotonic()
                print(f"[{place}/{len(stages)}] {title} ...", flush=True)
                stage()
                print(f"      done in {time.monotonic() - started:.1f} s", flush=True)
            self._greet()
            while not self.stopping.wait(1.0):
                self.group.revive()
                self._keep_servers()
        finally:
            self._stop()

    def _ask_to_stop(self, number: int, frame: object) -> None:
        self.stopping.set()

    def _check(self) -> None:
        private_folder(self.var / "run")
        self.lock = open(self.var / "run" / "demo.lock", "w")  # noqa: SIM115
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(
                f"a demo already runs on {self.var}; stop it, or choose another folder with VAR="
            ) from None
        free = shutil.disk_usage(self.var).free
        if free < NEEDED_BYTES:
            raise DemoError(
                f"only {free / 1e9:.2f} GB are free at {self.var}, 1 GB is needed; make room, or choose "
                "another folder with VAR="
            )
        self._refuse_unusable_address()

    def _refuse_unusable_address(self) -> None:
        # As the web server decides it: a host with a colon is an IPv6 address.
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((self.host, self.port))
        except OSError as problem:
            if problem.errno == errno.EADDRINUSE:
                told = f"port {self.port} is not free ({problem.strerror}); choose another with PORT="
            else:
                told = f"cannot listen at {self.bind} ({problem.strerror}); choose with HOST= and PORT="
            raise DemoError(told) from None

    def _start_servers(self) -> None:
        self.hold = ensure()
        os.environ["VAR"] = str(self.var)

    def _keep_servers(self) -> None:
        """Should the keeper itself be killed, another takes over at the same addresses."""
        if self.hold is not None and self.hold.is_lost():
            print("the embedded servers were lost; starting them again", file=sys.stderr, flush=True)
            for name in ("DATABASE_URL", "BROKER_URL"):
                if os.environ.get(name) in self.hold.urls.values():
                    del os.environ[name]
            self.hold = ensure()

    def _prepare(self) -> None:
        self._command("prepare_demo")

    def _start_programs(self) -> None:
        worker = [sys.executable, "-m", "celery", "-A", "labelsite", "worker", "-l", "info"]
        no_pool = {"KEEP_CONNECTIONS": "0"}
        name = f"{self.port}@{socket.gethostname()}"
        # A worker that ends politely waits for its broker, which the same death has taken away.
        at_once = signal.SIGKILL
        for member in (
            Member("web", self._web_command()),
            Member(
                "worker", [*worker, "-Q", "default", "-c", "2", "-n", f"default-{name}"],
                no_pool, at_once, JOBS_SAVE_SECONDS,
            ),
            Member("gpu", [*worker, "-Q", "gpu", "-c", "1", "-n", f"gpu-{name}"], no_pool, at_once, JOBS_SAVE_SECONDS),
            Member("poller", [sys.executable, "manage.py", "poll_jobs"], no_pool, patience=JOBS_SAVE_SECONDS),
        ):  # fmt: skip
            self.group.start(member)

    def _web_command(self) -> list[str]:
        options = ["--config", "python:labelsite.web", "--bind", self.bind]
        options += ["--access-logfile", "-", "--timeout", "120", "--graceful-timeout", "5"]
        return [sys.executable, "-m", "gunicorn", "labelsite.wsgi:application", *options]

    def _build(self) -> None:
        if self.with_campaigns:
            self._command("build_demo")
        else:
            print("      left out, as asked")

    def _command(self, *arguments: str) -> None:
        """Run a management command whose output the user sees; raises DemoError with its last line."""
        process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**os.environ, "KEEP_CONNECTIONS": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
        assert process.stdout is not None
        last = ""
        ender = threading.Thread(target=self._end_when_stopping, args=[process], daemon=True)
        ender.start()
        with open(log_file(self.var, arguments[0]), "a") as log:
            for line in process.stdout:
                log.write(line)
                is_news = line.strip() != last
                last = line.strip() or last
                if is_news and not line.startswith((" ", "Traceback")):
                    print(f"      {line.rstrip()}", flush=True)
        if process.wait() != 0 and not self.stopping.is_set():
            where = f"{self.var}/log/{arguments[0]}.log"
            if "No space left on device" in last:
                raise DemoError(f"no space left on the disk of {self.var}; make room, then start again")
            raise DemoError(f"{arguments[0]} failed: {last} (all of it: {where})")

    def _end_when_stopping(self, process: subprocess.Popen[str]) -> None:
        while process.poll() is None:
            if self.stopping.wait(0.2):
                process.terminate()
                return

    def _wait_for_page(self) -> None:
        deadline = time.monotonic() + WEB_ANSWERS_SECONDS
        while not self.stopping.is_set():
            problem = self._missing_page()
            if problem is None:
                return
            if time.monotonic() > deadline:
                raise DemoError(f"no page at {self.address} ({problem}); see {self.var}/log/web.log")
            time.sleep(0.1)

    def _missing_page(self) -> str | None:
        """Why there is no page yet; None where the site answers, if only to refuse the name or to ask for HTTPS.

        Asked without urllib, which would go by a proxy of the environment.
        """
        page = http.client.HTTPConnection(self.reachable_host, self.port, timeout=10)
        try:
            page.request("GET", "/login/")
            answer = page.getresponse()
            return f"{answer.status} {answer.reason}" if answer.status >= 500 else None
        except (OSError, http.client.HTTPException) as problem:
            return str(problem)
        finally:
            page.close()

    @property
    def bind(self) -> str:
        """Where the web server listens."""
        return f"{_in_address(self.host)}:{self.port}"

    @property
    def reachable_host(self) -> str:
        """A host at which this machine finds the site: nobody can connect to "any address"."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)

    @property
    def address(self) -> str:
        return f"http://{_in_address(self.reachable_host)}:{self.port}/"

    def _greet(self) -> None:
        kept = self.var / "passwords.json"
        print(f"\nMisstep is at {self.address}\n")
        if kept.exists():
            for name, password in json.loads(kept.read_text()).items():
                print(f"  {name:<10} password {password}")
        print(f"\nEverything it writes is in {self.var}. Ctrl-C stops all of it.", flush=True)

    def _stop(self) -> None:
        if self.hold is None and not self.group.members:
            return
        print(f"\nStopping (a running job has up to {JOBS_SAVE_SECONDS:.0f} s to save) ...", flush=True)
        # A second Ctrl-C must not leave half of it running.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self.group.stop()
        if self.hold is not None:
            self.hold.release()
        print("Stopped.", flush=True)


def _in_address(host: str) -> str:
    """A host as an address has it, where a colon would end it."""
    return f"[{host}]" if ":" in host else host


def main() -> int:
    """Read HOST, PORT and VAR from the environment; return the exit status.

    `--empty` starts the site without building the demo campaigns.
    """
    port = os.environ.get("PORT") or "8000"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        print(f"make demo: PORT is {port!r}, expected a number from 1 to 65535", file=sys.stderr)
        return 2
    try:
        host = (os.environ.get("HOST") or "127.0.0.1").strip("[]")
        Demo(var_folder(), host, int(port), with_campaigns="--empty" not in sys.argv[1:]).run()
    except (DemoError, EmbeddedError) as refusal:
        print(f"make demo: {refusal}", file=sys.stderr)
        return 1
    except OSError as problem:
        print(f"make demo: {problem.strerror or problem}: {problem.filename or ''}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
