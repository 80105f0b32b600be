"""Prompt tokens that a local model reads in a search, with and without keys and values kept from call to call:
`python -m tests.benchmarks.prompt_reuse`.

Two models in plain transformers folders: the pocket policy's weights, whose prompts are short, and random weights
behind the shipped prompt, whose texts are word salad in steps of a usual length. rStar grows trees of fresh problems;
OmegaPRM searches given wrong solutions for their first mistake. Processor seconds of this process on one thread.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from ml.execution import Sandbox
from ml.pocket.problems import generate
from ml.policies import load_policy
from ml.search.recipes import RECIPES
from ml.search.walk import Walk
from tests.benchmarks.search_tokens import wrong_solutions
from tests.ml.policies.pocket_folder import make_pocket_folder
from tests.ml.policies.random_folder import make_random_folder


def searches_of(method: str, count: int, rollouts: int) -> list[tuple[str, Any]]:
    """As many searches of prose, each with its name."""
    recipe = RECIPES[method]
    options = recipe.with_options({"rollouts": rollouts, "candidates": 4, "style": "prose"})
    if method == "omegaprm":
        return [(one.id, recipe.estimate(one, options, 0)) for one, _ in wrong_solutions(count)]
    return [(one.id, recipe.search(one, options, 0, "prose")) for one in generate(count, seed=77)]


def measured(policy: str, method: str, count: int, rollouts: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """One row, and what was found."""
    # Anew for each row, so that nothing is known before.
    loaded, sandbox = load_policy(policy), Sandbox()
    walk, started = Walk(loaded, sandbox), time.process_time()
    found = {done.key: done.result for done in walk.drive(searches_of(method, count, rollouts))}
    seconds = time.process_time() - started
    sandbox.close()
    prompts = loaded.prompt_tokens  # type: ignore[attr-defined]
    row = {
        "prompt_tokens_read": prompts["read"],
        "prompt_tokens_reused": prompts["reused"],
        "tokens_written": walk.cost.tokens,
        "processor_seconds": round(seconds, 1),
    }
    return row, {key: one.as_json() if hasattr(one, "as_json") else one for key, one in found.items()}


def main(arguments: list[str] | None = None) -> int:
    """Print one JSON line; `--out` writes it to a file, too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=4)
    parser.add_argument("--rollouts", type=int, default=4)
    parser.add_argument("--layers", type=int, default=4, help="of the model with random weights")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as made:
        folders = {
            "pocket weights": make_pocket_folder(Path(made) / "pocket"),
            "random weights": make_random_folder(Path(made) / "random", chosen.layers, chosen.width),
        }
        for name, folder in folders.items():
            for method in ("rstar", "omegaprm"):
                without, before = measured(f"{folder}?cache=0", method, chosen.problems, chosen.rollouts)
                kept, after = measured(str(folder), method, chosen.problems, chosen.rollouts)
                rows.append(
                    {
                        "model": name,
                        "method": method,
                        "nothing_kept": without,
                        "kept": kept,
                        "same_results": before == after,
                    }
                )
    result = {
        "benchmark": "prompt_reuse",
        "problems": chosen.problems,
        "rollouts": chosen.rollouts,
        "random_weights": {"layers": chosen.layers, "width": chosen.width},
        "rows": rows,
    }
    if chosen.out:
        chosen.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
