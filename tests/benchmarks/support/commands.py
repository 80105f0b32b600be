"""The product's own commands, run by benchmarks as anyone would run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.data import ROOT


def ml(*arguments: object, processes: int = 1) -> dict[str, Any]:
    """`python -m ml ...` on one thread, or under torchrun in several processes of one thread each.

    Returns its result, or ends the benchmark with what it said.
    """
    side_by_side = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes))
    start = side_by_side if processes > 1 else ()
    command = [sys.executable, *start, "-m", "ml", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[2:])}: {done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def write_json(path: Path, body: object) -> None:
    """One JSON object, indented, in a folder that is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
