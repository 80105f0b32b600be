"""Bubblewrap around the fork server, where this machine has it: what its namespaces lack is absent, not forbidden."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SECONDS_TO_TRY = 20.0
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache")


def command(inner: Sequence[str], *readable: Path) -> list[str]:
    """The command line that runs `inner` in namespaces of its own, with the interpreter and `readable` in view.

    Not --die-with-parent: it would die with the thread that started it. The server ends when its socket does. Nor
    --new-session: it is the leader of one already, and what runs in it ends with its process group.
    """
    prefixes = {
        Path(p) for prefix in (sys.prefix, sys.base_prefix) for p in (prefix, os.path.realpath(prefix))
    }
    binds = [argument for path in _SYSTEM for argument in ("--ro-bind-try", path, path)]
    for path in sorted({*prefixes, *readable}):
        binds += ["--ro-bind", str(path), str(path)]
    private = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--chdir", "/"]
    return ["bwrap", "--unshare-all", *private, *binds, "--", *inner]


def is_available() -> bool:
    """Whether bubblewrap is installed, and may make its namespaces here (many systems forbid it)."""
    try:
        return tried()
    except subprocess.TimeoutExpired:
        return False


@functools.cache
def tried() -> bool:
    """Whether it works here, asked once; raises TimeoutExpired, and is asked again, on a machine too busy to say."""
    if shutil.which("bwrap") is None:
        return False
    try:
        done = subprocess.run(
            command([sys.executable, "-I", "-c", ""]),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS_TO_TRY,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0
