"""Programs that try to get out, and programs that only want to compute: `python -m
tests.ml.execution.attacks`.

Each attack prints BROKEN when it gets what it must not get. None may, at any level, nor may one cost a fork server or
leave a process behind; siblings of one path may not reach each other either; and every honest program must print what
real Python prints, also with the machine four times oversubscribed (`--oversubscribe`). The last line is one JSON
object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ml.execution import bubblewrap
from ml.execution.monty import MontyLayer
from ml.execution.outcome import Execution, Verdict
from ml.execution.process import WALL_SECONDS, ProcessLayer
from tests.ml.execution.attack_programs import ENDED_BY_FORCE, SIBLINGS, attack_programs
from tests.ml.execution.honest_programs import honest_programs
from tests.ml.execution.processes import family, kept, live, servers, state

# Runs a path of steps, and keeps its state for the steps after it.
Run = Callable[[Sequence[str]], Execution]
BROKEN = "BROKEN"


@dataclass(frozen=True, slots=True)
class Level:
    """One sandbox level, alone. layer: whose processes it uses; None for Monty's."""

    run: Run
    layer: ProcessLayer | None = None


def levels() -> dict[str, Level]:
    """Every sandbox level of this machine."""
    monty = MontyLayer()
    layers = [ProcessLayer(wrapped=False)]
    if bubblewrap.is_available():
        layers.append(ProcessLayer(wrapped=True))
    return {"monty": Level(lambda codes: monty.run(codes).execution)} | {
        layer.level: Level(lambda codes, layer=layer: layer.run(codes, keep_states=True), layer)
        for layer in layers
    }


def attack(level: Level, folder: Path) -> list[str]:
    """The names of the attacks that succeeded; also what they left, and which process of ours they ended."""
    secret = folder / "secret"
    secret.write_text(f"{BROKEN} secret")
    os.environ["MISSTEP_TEST_SECRET"] = f"{BROKEN} environment"
    programs = attack_programs(os.getpid(), secret, folder)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: level.run(["import time\ntime.sleep(0)"]), range(2)))
        before = set() if level.layer is None else servers(level.layer)
        outcomes = dict(
            zip(programs, pool.map(lambda name: level.run([programs[name]]), programs), strict=True)
        )
    succeeded = [
        f"{name}: {outcome.output[:100]}" for name, outcome in outcomes.items() if BROKEN in outcome.output
    ]
    left = sorted(path.name for path in folder.iterdir() if path != secret)
    succeeded += [f"left the file {name}" for name in left] + attack_siblings(level.run)
    return succeeded if level.layer is None else succeeded + cost(outcomes) + ended(level.layer, before)


def cost(outcomes: dict[str, Execution]) -> list[str]:
    """The names of the programs that got no verdict though they should, or held their server too long."""
    unjudged = [
        f"{name}: no verdict: {outcome.error}"
        for name, outcome in outcomes.items()
        if outcome.verdict is Verdict.INFRASTRUCTURE and name not in ENDED_BY_FORCE
    ]
    late = [name for name, outcome in outcomes.items() if outcome.seconds > 2 * WALL_SECONDS]
    return unjudged + [f"{name}: held its server" for name in late]


def ended(layer: ProcessLayer, before: set[int]) -> list[str]:
    """Which of the layer's servers are gone, which kept processes do anything, and what lives on without them."""
    gone = [f"ended the server {pid}" for pid in before - servers(layer)]
    busy = [f"the kept process {pid} is not stopped" for pid in kept(layer) if state(pid) != "T"]
    processes = family(layer)
    layer.close()
    return gone + busy + [f"the process {pid} stays" for pid in live(processes)]


def attack_siblings(run: Run) -> list[str]:
    """The names of the attacks by which one child of a step reached another child, or the step's own state."""
    succeeded = []
    for name, (parent, leaves, looks) in SIBLINGS.items():
        run([parent])
        run([parent, leaves])
        outcome = run([parent, looks])
        if BROKEN in outcome.output or (parent == "x = [1]" and outcome.output.strip() not in ("", "[1]")):
            succeeded.append(f"{name}: {outcome.output[:100]}")
    return succeeded


def compute(run: Run, programs: dict[str, tuple[str, str]]) -> list[str]:
    """The names of the honest programs that did not print what they should."""
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda name: run([programs[name][0]]), programs))
    return [
        f"{name}: {outcome.verdict} {outcome.error[:200]} {outcome.output[:100]!r}"
        for name, outcome in zip(programs, outcomes, strict=True)
        if not outcome.ok or outcome.output.strip() != programs[name][1]
    ]


def _spin() -> None:
    while True:
        pass


def main() -> int:
    """Run the attacks at every level, and the honest programs at every level of the process sandbox."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--honest", type=int, default=1000, help="how many honest programs")
    arguments.add_argument("--oversubscribe", action="store_true", help="four busy processes for each core")
    options = arguments.parse_args()
    busy = []
    if options.oversubscribe:
        busy = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(4 * (os.cpu_count() or 1))]
        for process in busy:
            process.start()
    failures: list[str] = []
    table: dict[str, dict[str, float | int]] = {}
    for name, level in levels().items():
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            count = len(SIBLINGS) + len(attack_programs(os.getpid(), Path(folder) / "secret", Path(folder)))
            broken = attack(level, Path(folder))
        table[name] = {
            "attacks": count,
            "succeeded": len(broken),
            "seconds": round(time.monotonic() - started, 1),
        }
        failures += [f"{name}: {line}" for line in broken]
        print(f"{name}: {count} attacks, {len(broken)} succeeded", file=sys.stderr)
        if name == "monty":
            continue
        started = time.monotonic()
        failed = compute(level.run, honest_programs(options.honest))
        failures += [f"{name}: honest: {line}" for line in failed]
        table[name] |= {
            "honest": options.honest,
            "failed": len(failed),
            "honest_seconds": round(time.monotonic() - started, 1),
        }
    for process in busy:
        process.terminate()
    for line in failures:
        print(line, file=sys.stderr)
    print(json.dumps({"oversubscribed": bool(busy), **table}))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
