"""A set of long-running processes that start, are watched and stop together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from labelsite.embedded.folders import log_file
from labelsite.embedded.process import die_with_parent

# A program that ends again and again is started less and less often.
LONGEST_PAUSE_SECONDS = 60.0


@dataclass
class Member:
    """One program of the group: how to start it, and its life so far."""

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    # What it gets when the group's own process is killed and cannot stop it.
    signal_of_death: int = signal.SIGTERM
    # How many seconds it has to end when the group stops.
    patience: float = 8.0
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    start_again_at: float = 0.0


class ProcessGroup:
    """Starts members with their output in `var/log`, restarts the ones that end, and stops them all."""

    def __init__(self, var: Path, folder: Path) -> None:
        self.var, self.folder = var, folder
        self.members: list[Member] = []

    def start(self, member: Member) -> None:
        """Start a new member, or one that has ended."""
        if member not in self.members:
            self.members.append(member)
        with open(log_file(self.var, member.name), "ab") as log:
            member.process = subprocess.Popen(
                member.command,
                cwd=self.folder,
                env={**os.environ, **member.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(member.signal_of_death),
            )

    def ended(self) -> list[Member]:
        """Members that have ended without being told to."""
        return [one for one in self.members if one.process is not None and one.process.poll() is not None]

    def revive(self) -> None:
        """Start ended members again, waiting longer after each time."""
        for member in self.ended():
            assert member.process is not None
            now = time.monotonic()
            if not member.start_again_at:
                pause = min(2.0**member.restarts, LONGEST_PAUSE_SECONDS)
                member.start_again_at = now + pause
                print(
                    f"{member.name} ended with status {member.process.returncode}; starting it again in "
                    f"{pause:.0f} s (see {self.var}/log/{member.name}.log)",
                    file=sys.stderr,
                )
            elif now >= member.start_again_at:
                member.restarts, member.start_again_at = member.restarts + 1, 0.0
                self.start(member)

    def stop(self) -> None:
        """Ask all members to end; kill those that outlast their patience, and what is left of anyone's children."""
        running = [(one.process, one.patience) for one in self.members if one.process is not None]
        for process, _ in running:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        asked_at = time.monotonic()
        for process, patience in sorted(running, key=lambda one: one[1]):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.01, asked_at + patience - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
