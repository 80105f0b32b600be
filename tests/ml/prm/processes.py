"""Starts `python -m ml train` in processes of its own, alone or as a group."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from tests.data import ROOT
from tests.ml.prm.commands import QUICK

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def started(snapshot, out, *arguments, under=(), **environment):
    """A process that trains; `under` stands before `-m ml`."""
    command = [sys.executable, *under, "-m", "ml", "train", "--snapshot", str(snapshot), "--out", str(out)]
    return subprocess.Popen(
        [*command, *QUICK, *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process, seconds=120):
    """Its status and its words on stderr; one that hangs is killed, and the test with it."""
    try:
        _, words = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return process.returncode, words


def group_of_two(snapshot, outs, *arguments):
    """Two processes of one group that write to folders of their own, as on two hosts without a shared disk."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [
        started(snapshot, out, *arguments, RANK=str(rank), LOCAL_RANK=str(rank), **shared)
        for rank, out in enumerate(outs)
    ]
