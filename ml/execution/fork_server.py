"""The fork server: a small process that has loaded the libraries, and forks a confined child for each run.

Run by path with `python -I` and an empty environment; it never runs a model's code itself. On its standard
input is a socket. A request is a JSON line with two file handles: where the child prints, and where it
reports. The server answers with the child's wait status, and kills the child when the parent says so ("k").

A child that has run its steps may be kept as a snapshot ("s"): it waits, and a later request that names it
forks it again, so that what its path has computed is there and is not computed twice. `snapshots.py` has both
ends of that.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import json
import os
import random
import signal
import socket
import sys
import sysconfig
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml.execution.snapshots import Snapshot, Snapshots

LIBRARIES = ("sympy", "numpy", "mpmath", "fractions", "statistics", "heapq", "decimal", "itertools", "bisect")
LONGEST_REQUEST = 4 * 1024 * 1024
NOT_CONFINED = 77


def load_libraries() -> list[str]:
    """Import what steps like to use, once for all children; returns the folders that lazy imports may
    read.
    """
    folders = [sysconfig.get_paths()["stdlib"]]
    for name in LIBRARIES:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        folder = os.path.dirname(getattr(module, "__file__", None) or "")
        if folder and not any(folder.startswith(known + os.sep) or folder == known for known in folders):
            folders.append(folder)
            if os.path.isdir(folder + ".libs"):
                folders.append(folder + ".libs")
    return folders


def warm_up() -> None:
    """Use the libraries once, so that children find their caches and lazily loaded parts in place."""
    with contextlib.suppress(ImportError):
        import numpy

        numpy.random.seed(0)
        numpy.linalg.inv(numpy.eye(2))
    with contextlib.suppress(ImportError):
        import sympy

        x = sympy.symbols("x")
        sympy.solve(x**2 - 2, x)
        sympy.simplify(sympy.sin(x) ** 2 + sympy.cos(x) ** 2)
        sympy.Rational(1, 3) + sympy.integrate(x, x) + sympy.factorint(12)[2]


def become_child(
    request: dict[str, Any], handles: list[int], watcher: socket.socket, folders: list[str]
) -> None:
    """In the forked child: confine, run, and leave without ever coming back to the server's code.

    handles: where to print, where to report, and where the server sends what to run in forks of this process.
    """
    status = NOT_CONFINED
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        watch = socket.socket(fileno=os.dup(watcher.fileno()))
        for source, target in zip((nothing, handles[0], handles[0], *handles[1:]), range(5), strict=True):
            os.dup2(source, target)
        os.dup2(watch.fileno(), 5)
        watch.detach()
        os.closerange(6, 4096)
        watch, control = socket.socket(fileno=5), socket.socket(fileno=4)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGPROF):
            signal.signal(number, signal.SIG_DFL)
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        time.sleep = lambda seconds: None
        random.seed(0)
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed(0)
        # What the server saw of folders that the child may not read would be found, and then refused.
        sys.path_importer_cache.clear()
        sys.setrecursionlimit(2_000)
        from confinement import CPU_SECONDS, confine
        from snapshots import wait_to_be_forked
        from step_runner import Steps

        os.chdir("/")
        confine(folders, watch, request["partial"])
        watch.close()
        steps = Steps()
        while True:
            status = steps.run(request["codes"], request["known"], CPU_SECONDS)
            if status or not request["keep"]:
                break
            request = wait_to_be_forked(control, receive)
    except BaseException as error:
        with contextlib.suppress(BaseException):
            os.write(3, json.dumps({"step": -1, "error": repr(error)[:500]}).encode() + b"\n")
    finally:
        os._exit(status)


def serve(connection: socket.socket, folders: list[str]) -> None:
    """Fork a child for each request, one at a time, until the parent hangs up."""
    from snapshots import Snapshots

    snapshots = Snapshots()
    try:
        while True:
            request, handles = receive(connection)
            if request is None:
                return
            snapshots.drop(request["drop"])
            child = start_child(request, handles, folders, snapshots)
            answer = {"lost": True} if child is None else snapshots.watch(child, connection, request["keep"])
            connection.sendall(json.dumps(answer).encode() + b"\n")
    finally:
        # Also where the parent hangs up while a child runs: the answer then has nobody to go to.
        snapshots.end()


def start_child(
    request: dict[str, Any], handles: list[int], folders: list[str], snapshots: Snapshots
) -> Snapshot | None:
    """The child that runs a request, forked from this process or from a kept one; None where that is lost."""
    from confinement import CPU_SECONDS
    from snapshots import Snapshot, receive_listener

    seconds = CPU_SECONDS * len(request["codes"]) + 1
    ours, theirs = socket.socketpair()
    theirs.shutdown(socket.SHUT_WR)
    if request["parent"] is None:
        watching, watched = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            become_child(request, [*handles, theirs.detach()], watched, folders)
        watched.close()
        child: Snapshot | None = Snapshot(pid, ours, receive_listener(watching), seconds)
        watching.close()
    else:
        child = snapshots.fork(request, [*handles, theirs.fileno()], ours, seconds)
    theirs.close()
    for handle in handles:
        os.close(handle)
    return child


def receive(connection: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """One request line and its file handles; None when the parent has hung up."""
    body, handles = b"", array.array("i")
    while not body.endswith(b"\n"):
        part, ancillary, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(3 * handles.itemsize))
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                handles.frombytes(data[: len(data) - len(data) % handles.itemsize])
        if not part or len(body) > LONGEST_REQUEST:
            return None, []
        # A "kill" or "keep" that came after its child had ended by itself is late, and means nothing now.
        body = (body + part).lstrip(b"ks")
    return json.loads(body), list(handles)


def main() -> None:
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, folder)
    import confinement  # noqa: F401 - loaded before the path is taken away again
    import snapshots  # noqa: F401
    import step_runner  # noqa: F401

    sys.path.remove(folder)
    folders = load_libraries()
    warm_up()
    gc.collect()
    gc.freeze()
    connection = socket.socket(fileno=0)
    connection.sendall(b'{"ready": true}\n')
    serve(connection, folders)


if __name__ == "__main__":
    main()
