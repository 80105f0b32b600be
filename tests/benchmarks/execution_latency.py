"""Milliseconds for one sandboxed step, by layer: `python -m tests.benchmarks.execution_latency`."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

from ml.execution import bubblewrap
from ml.execution.monty import MontyLayer
from ml.execution.outcome import Execution
from ml.execution.process import ProcessLayer


def percentiles(run: Callable[[int], Execution], count: int) -> dict[str, float]:
    """p5, p50 and p95 of `count` runs in milliseconds, after one to warm up; p5 is what a run takes that
    nothing else on the machine delays.
    """
    run(-1)
    seconds = []
    for index in range(count):
        started = time.perf_counter()
        execution = run(index)
        seconds.append(time.perf_counter() - started)
        assert execution.ok, execution
    seconds.sort()
    return {
        "p5_ms": round(1000 * seconds[int(count * 0.05)], 3),
        "p50_ms": round(1000 * seconds[count // 2], 3),
        "p95_ms": round(1000 * seconds[int(count * 0.95)], 3),
    }


DEPTHS = (1, 4, 8, 16)


def by_depth(run: Callable[[list[str]], Execution], count: int) -> dict[str, dict[str, float]]:
    """The latency of a step by how many steps stand before it; those have run, as in a search."""
    table = {}
    for depth in DEPTHS:
        path = [f"x{n} = {n} * 2" for n in range(depth - 1)]
        for end in range(1, depth):
            run(path[:end])
        table[f"step {depth} of a path"] = percentiles(
            lambda n, path=path: run([*path, f"print({n})"]), count
        )
    return table


def main(arguments: list[str] | None = None) -> int:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    count = parser.parse_args(arguments).runs
    monty = MontyLayer(processes=1)
    layers = [ProcessLayer(servers=1, wrapped=False)]
    if bubblewrap.is_available():
        layers.append(ProcessLayer(servers=1, wrapped=True))
    table = {"monty": by_depth(lambda codes: monty.run(codes).execution, count)}
    monty.close()
    for layer in layers:
        table[layer.level] = by_depth(lambda codes, layer=layer: layer.run(codes, keep_states=True), count)
        table[layer.level]["sympy"] = percentiles(
            lambda n, layer=layer: layer.run([f"import sympy\nprint(sympy.Rational({n}, 3) + 1)"]), count
        )
        layer.close()
    print(json.dumps({"benchmark": "execution_latency", "runs": count, "layers": table}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
