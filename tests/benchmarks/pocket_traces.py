"""A PRM from automatic labels of pocket problems alone, judged on people's real traces of BIG-Bench Mistake.

    python -m tests.benchmarks.pocket_traces --out docs/results/pocket_traces.json

Simulated strangers solve pocket problems in the words of real traces; OmegaPRM labels what they wrote, and nobody
else. A step that it blames, and that the base without any label is sure of, has no label. Of further solutions, where
there are any, only the answer is known. The model then judges traces that it was not trained, chosen or
tuned on, by the threshold that suits fresh strangers; at last it goes on with people's labels of one half of the
traces and is tested on the other. Files that are there already are used.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from ml.devices import narrow_is_fast
from ml.evaluation.judged import half_of
from ml.snapshot import problem_hash
from ml.targets import LabelRule
from tests.benchmarks.support import pocket_snapshots as data
from tests.benchmarks.support.commands import write_json
from tests.benchmarks.support.judging import by_strangers, from_card, on_its_own
from tests.data import DATA, ROOT

TRACES = DATA / "big_bench_mistake" / "multistep_arithmetic.jsonl"
# Rollouts of a probed prefix: 16 or 32 name no more of the first mistakes in strangers' wrong solutions than four.
ROLLOUTS = 4
EFFORT = (
    "--head", "likelihood", "--optimizer", "muon", "--learning-rate", 1e-3, "--compile", "--outcomes",
    "--tokens-per-row", 65536,
)  # fmt: skip
# A base that knows right work passes most of the right steps that rollouts blame, and few of the wrong ones. What it
# thinks wrong and rollouts right stays: there it has most to learn.
BELIEVED = ("--second-opinion-sure", 0.55, "--second-opinion-doubtful", 0)
# How people's labels of half of the traces are added to a finished model.
TOUCH = ("--head", "likelihood", "--epochs", 6, "--learning-rate", 3e-4, "--batch-size", 16)


def main() -> None:
    """Make what is missing, train, judge, and write all figures."""
    options = _options()
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)
    if not TRACES.exists():
        raise SystemExit(f"{TRACES} is not there: nothing to judge on")
    strangers = data.written(work / "strangers.jsonl", 500, options.threshold_seed)
    if options.judge:
        # What is written beside a checkpoint is not written beside this one.
        given = shutil.copytree(options.judge, work / "given", dirs_exist_ok=True)
        write_json(options.out, {"models": {"given": _judged(given, strangers)}})
        return
    narrow = ("--bf16",) if narrow_is_fast(options.device) else ()
    asked = ("--base", options.base, "--batch-size", options.batch_size, "--device", options.device)
    effort = (*EFFORT, *narrow, *asked)
    untaught = ("--steps", 1, "--learning-rate", 1e-9)
    reader = _folder(work, "no labels at all", (*effort, *untaught))
    opinion = ("--second-opinion", options.second_opinion or reader, *BELIEVED)
    models = {"no labels at all": untaught, "automatic": ("--steps", options.steps, *opinion)}
    found: dict[str, Any] = {"models": {}}
    for name, length in models.items():
        checkpoint = _folder(work, name, (*effort, *length))
        taught = ("--labels", "automatic", *effort, *length)
        data.trained(checkpoint, _snapshot(options), *taught, processes=options.processes)
        found["models"][name] = {"trained": from_card(checkpoint), **_judged(checkpoint, strangers)}
        print(name, json.dumps(found["models"][name]), flush=True)
    # The last one is the automatic labels' own.
    mean = data.averaged(_folder(work, "mean", (*effort, *length)), reader, checkpoint)
    found["models"]["automatic, averaged with no labels"] = _judged(mean, strangers)
    found["automatic, then people's labels of half of the traces"] = _with_people(work, strangers, checkpoint)
    write_json(options.out, found)


def _judged(checkpoint: Path, strangers: Path) -> dict[str, Any]:
    """What it says of strangers, each half by the threshold of the other, and of the traces by that of strangers."""
    return {
        "strangers": on_its_own(checkpoint, strangers),
        "traces": by_strangers(checkpoint, strangers, TRACES),
    }


def _snapshot(options: argparse.Namespace) -> Path:
    """Strangers' solutions with OmegaPRM's labels, and more without any; nobody else has looked at them."""
    folder: Path = options.work / "snapshot"
    if not folder.exists():
        written = data.written(options.work / "written.jsonl", options.solutions, options.seed)
        estimates = data.estimated(
            options.work / "estimates", written, "--rollouts", ROLLOUTS, parts=options.processes
        )
        rows = data.rows(written, estimates, lambda _: None)
        if options.answers:
            more = data.written(options.work / "answers.jsonl", options.answers, options.seed + 1)
            rows = chain(rows, data.rows(more, None, lambda _: None))
        data.frozen(folder, rows, LabelRule("automatic"))
    return folder


def _folder(work: Path, name: str, settings: Sequence[object]) -> Path:
    """A folder for these settings alone: what another command trained under the same name is not taken for it."""
    mark = hashlib.sha256(" ".join(map(str, settings)).encode()).hexdigest()[:8]
    return work / f"{name.replace(' ', '-')}-{mark}"


def _with_people(work: Path, strangers: Path, before: Path) -> dict[str, Any]:
    """The model of automatic labels goes on with people's labels of one half of the traces; both ways."""
    parts = [work / f"traces-{half}.jsonl" for half in (0, 1)]
    lines = TRACES.read_text(encoding="utf-8").splitlines(keepends=True)
    for half, part in enumerate(parts):
        own = [line for line in lines if half_of(problem_hash(json.loads(line)["input"])) == half]
        part.write_text("".join(own), encoding="utf-8")
    found: dict[str, Any] = {}
    for half, part in enumerate(parts):
        rows = data.rows(part, None, data.annotated, "big_bench_mistake")
        snapshot = data.frozen(work / f"people-{half}", rows, LabelRule("human"))
        taught = ("--base", before, "--labels", "human", *TOUCH)
        after = data.trained(work / f"{before.name}-people-{half}", snapshot, *taught)
        for name, checkpoint in (("before", before), ("after", after)):
            found[f"tested on half {1 - half}, {name}"] = by_strangers(checkpoint, strangers, parts[1 - half])
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--solutions", type=int, default=49_000, help="by strangers, to be labelled and read")
    parser.add_argument(
        "--answers", type=int, default=40_000, help="more, which teach by their answers alone"
    )
    parser.add_argument("--seed", type=int, default=302, help="of their problems")
    parser.add_argument("--threshold-seed", type=int, default=105, help="of the 500 that choose a threshold")
    parser.add_argument("--steps", type=int, default=6000, help="updates")
    parser.add_argument("--batch-size", type=int, default=16, help="solutions of an update")
    parser.add_argument(
        "--base", default="pocket-tall-reader", help="of the models, as `python -m ml train` takes it"
    )
    parser.add_argument("--device", default="cpu", help="that they are trained on")
    parser.add_argument(
        "--second-opinion",
        type=Path,
        help="an earlier model's checkpoint, instead of the base without labels",
    )
    parser.add_argument(
        "--judge",
        type=Path,
        metavar="DIR",
        help="a finished checkpoint, which is judged alone: nothing is trained",
    )
    parser.add_argument(
        "--processes", type=int, default=1, help="side by side, to label and to train; the results are one's"
    )
    parser.add_argument("--work", type=Path, default=ROOT / "var" / "pocket_traces")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "pocket_traces.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
