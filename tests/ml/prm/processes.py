"""Starts `python -m ml train` in processes of its own, alone or as a group."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from tests.data import ROOT
from tests.ml.prm.commands import QUICK
from tests.ml.prm.warm_process import WarmProcess

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def started(snapshot, out, *arguments, **environment):
    """A process that trains."""
    return WarmProcess("ml", *_training(snapshot, out, *arguments), **environment)


def started_by_torchrun(snapshot, out, *arguments):
    """Two processes that train, which take seconds to begin: they are as they are started outside of tests."""
    return subprocess.Popen(
        [sys.executable, *TORCHRUN, "-m", "ml", *_training(snapshot, out, *arguments)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _training(snapshot, out, *arguments):
    return ["train", "--snapshot", str(snapshot), "--out", str(out), *QUICK, *arguments]


def ended(process, seconds=120):
    """Its status and its words on stderr; one that hangs is killed, and the test with it."""
    try:
        _, words = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return process.returncode, words


def trained_in_group(snapshot, outs, *arguments):
    """Two processes of one group; with folders of their own they are as on two hosts without a shared disk."""
    places = places_in_a_group()
    return [started(snapshot, out, *arguments, **place) for out, place in zip(outs, places, strict=True)]


def as_group_of_two(module, **environment):
    """A module, run by each of two processes."""
    return [WarmProcess(module, **place, **environment) for place in places_in_a_group()]


def places_in_a_group():
    """What torchrun would tell two processes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [{**shared, "RANK": rank, "LOCAL_RANK": rank} for rank in ("0", "1")]
