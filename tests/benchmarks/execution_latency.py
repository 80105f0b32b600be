"""Milliseconds for one sandboxed step, by layer: `python -m tests.benchmarks.execution_latency`."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

from ml.execution.monty import MontyLayer
from ml.execution.outcome import Execution
from ml.execution.process import ProcessLayer


def percentiles(run: Callable[[int], Execution], count: int) -> dict[str, float]:
    """p50 and p95 of `count` runs in milliseconds, after one to warm up."""
    run(-1)
    seconds = []
    for index in range(count):
        started = time.perf_counter()
        execution = run(index)
        seconds.append(time.perf_counter() - started)
        assert execution.ok, execution
    seconds.sort()
    return {
        "p50_ms": round(1000 * seconds[count // 2], 3),
        "p95_ms": round(1000 * seconds[int(count * 0.95)], 3),
    }


def main(arguments: list[str] | None = None) -> int:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    count = parser.parse_args(arguments).runs
    monty, process = MontyLayer(processes=1), ProcessLayer(servers=1)
    deep = [f"x{n} = {n} * 2" for n in range(15)]
    monty.run(deep)
    table = {
        "monty, first step": percentiles(lambda n: monty.run([f"x = {n}\nprint(x + 1)"]).execution, count),
        "monty, 16th step of a path": percentiles(
            lambda n: monty.run([*deep, f"print(x14 + {n})"]).execution, count
        ),
        "process": percentiles(lambda n: process.run([f"x = {n}\nprint(x + 1)"]), count),
        "process, sympy": percentiles(
            lambda n: process.run([f"import sympy\nprint(sympy.Rational({n}, 3) + 1)"]), count
        ),
    }
    monty.close()
    process.close()
    print(json.dumps({"benchmark": "execution_latency", "runs": count, "layers": table}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
