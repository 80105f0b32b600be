"""Training on a GPU: labelled steps per second against trl 1.13, and the share of the chip's matrix rate.

    make bench-gpu                                      (`prepare` and `measure`, where data and GPU are)
    ... train_gpu prepare --folder DIR, then measure --folder DIR --out FILE, with the GPU elsewhere

Samples and judge are those of `train_throughput`; the model has random weights in the shape of a 0.5 B Qwen2. All
trainers run in one process, alternating, after a first run that is thrown away (kernels are compiled then), in bfloat16
with float32 weights. trl's default is as it comes (8 rows, activations recomputed); tuned, its batch is as large as
ours, rows of like length come together, and nothing is recomputed. The share is that of updates with 1.5 B weights:
what their matrix products need, over what a large product reaches.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen2Config

from ml.prm.compiling import compile_layers
from ml.prm.example import Example
from ml.prm.examples import ExampleSettings, examples_from
from ml.prm.model import ProcessRewardModel, build
from ml.prm.tokenization import StepTokenizer, load_step_tokenizer
from ml.prm.train import TrainingSettings, batch_of, train
from ml.snapshot import SnapshotRow
from ml.targets import LabelRule
from tests.benchmarks import train_throughput as samples
from tests.benchmarks.support.commands import write_json
from tests.benchmarks.train_worker import judged_scores, rows_of
from tests.data import ROOT

RATE, BATCH, LARGE_BATCH, UPDATES, TREES, ROW = 1e-4, 32, 80, 4, 4, 32768
# What is run first, so that kernels are there when time is taken.
WARM_UP = 0.15
SHAPES: dict[str, dict[str, Any]] = {
    "0.5 B": {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14},
    "1.5 B": {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "num_attention_heads": 12},
}  # fmt: skip
VARIANTS = ("ours", "trl default", "trl tuned")


def prepare(options: argparse.Namespace) -> None:
    """Write both samples with their tokenizers, so that the GPU's host needs no data of its own."""
    for case in samples.CASES:
        folder = options.folder / case
        folder.mkdir(parents=True, exist_ok=True)
        print(case, samples.prepare(case, folder, options))
        (folder / "base" / "model.safetensors").unlink()


def measure(options: argparse.Namespace) -> None:
    """Run everything, and write after each part what there is."""
    found: dict[str, Any] = {
        "gpu": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "matrix_rate_tflops": matrix_rate(),
    }
    print(found, flush=True)
    for case in options.cases:
        raw: dict[str, list[dict[str, Any]]] = {name: [] for name in options.variants}
        for name, is_judged, is_counted in turns(options.variants, options.repeats):
            share = 1.0 if is_counted or name == "ours" else WARM_UP
            run = one_run(options.folder / case, name, is_judged, share)
            print(case, name, json.dumps(run), flush=True)
            if is_counted:
                raw[name].append(run)
                found[case] = {"summary": summary(raw), "raw": raw}
                write_json(options.out, found)
    if not options.no_share:
        share = share_of_rate(options.folder / "processbench", found["matrix_rate_tflops"])
        found["share_of_matrix_rate"] = share
        write_json(options.out, found)
        print(json.dumps(share), flush=True)


def turns(names: Sequence[str], repeats: int) -> Iterator[tuple[str, bool, bool]]:
    """Whose turn it is, whether what was trained is judged (the last time), and whether time counts (not the first)."""
    for repeat in range(repeats + 1):
        start = repeat % len(names)
        for name in [*names[start:], *names[:start]]:
            yield name, repeat == repeats, repeat > 0


def summary(raw: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians, and what stands beside them, of what has been run so far."""
    raw = {name: runs for name, runs in raw.items() if runs}
    medians = {name: statistics.median(run["seconds"] for run in runs) for name, runs in raw.items()}
    found: dict[str, Any] = {
        "runs": {name: len(runs) for name, runs in raw.items()},
        "median_seconds": medians,
        "peak_memory_mib": {name: max(run["peak_mib"] for run in runs) for name, runs in raw.items()},
        "held_out": {name: runs[-1].get("held_out") for name, runs in raw.items()},
        "updates": {name: runs[0]["updates"] for name, runs in raw.items()},
    }
    if "ours" in raw:
        labelled = raw["ours"][0]["labelled_steps"]
        found["labelled_steps_per_second"] = {name: labelled / seconds for name, seconds in medians.items()}
        found["times_faster_than"] = {
            name: seconds / medians["ours"] for name, seconds in medians.items() if name != "ours"
        }
    return found


def one_run(folder: Path, name: str, is_judged: bool, share: float) -> dict[str, Any]:
    """One epoch, or a share of one, by one trainer from the same weights."""
    tokenizer = load_step_tokenizer(folder / "base")
    weights = fresh("0.5 B", tokenizer).cpu().state_dict()
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    run, trained = (_ours if name == "ours" else _trl)(folder, name, tokenizer, weights, share)
    run["peak_mib"] = torch.cuda.max_memory_allocated() // 2**20
    if is_judged:
        model = fresh("0.5 B", tokenizer)
        model.load_state_dict(trained)
        run["held_out"] = judged_scores(ProcessRewardModel(model), tokenizer, rows_of(folder, "held_out"))
    return run


def fresh(shape: str, tokenizer: StepTokenizer) -> Any:
    """Random weights, the same at each call. They are drawn on the GPU, because a processor takes seconds for them."""
    torch.manual_seed(0)
    with torch.device("cuda"):
        return build(config_of(shape, tokenizer))


def config_of(shape: str, tokenizer: StepTokenizer) -> Qwen2Config:
    """A Qwen2 of this shape, with the tokenizer's vocabulary."""
    return Qwen2Config(
        vocab_size=len(tokenizer.tokenizer), num_labels=2, num_key_value_heads=2,
        pad_token_id=tokenizer.tokenizer.pad_token_id, bos_token_id=None, eos_token_id=None,
        max_position_embeddings=2048, classifier_dropout=0.0, **SHAPES[shape],
    )  # fmt: skip


def examples_of(rows: Sequence[SnapshotRow], tokenizer: StepTokenizer) -> list[Example]:
    """The sample as training examples."""
    return examples_from(rows, tokenizer, LabelRule("human"), ExampleSettings(), Counter())


def _ours(
    folder: Path, name: str, tokenizer: StepTokenizer, weights: dict[str, torch.Tensor], share: float
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    rows = _part(rows_of(folder, "train"), share)
    examples = examples_of(rows, tokenizer)
    plain = fresh("0.5 B", tokenizer)
    plain.load_state_dict(weights)
    model = ProcessRewardModel(plain).to("cuda")
    compile_layers(model, is_whole=True)
    # A record with its alternatives has about as many labels as eight solutions.
    batch = TREES if any(row.options for row in rows) else BATCH
    steps = -(-len(examples) // batch)
    settings = TrainingSettings(
        "classifier", steps, learning_rate=RATE, batch_size=batch, weight_decay=0.0, bfloat16=True,
        tokens_per_row=ROW,
    )  # fmt: skip
    seconds = _timed(lambda: train(model, examples, settings))
    run = {"seconds": seconds, "updates": steps, "labelled_steps": sum(len(e.reads) for e in examples)}
    return run, plain.state_dict()


def _trl(
    folder: Path, name: str, tokenizer: StepTokenizer, weights: dict[str, torch.Tensor], share: float
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    from datasets import Dataset, fingerprint
    from transformers import AutoModelForTokenClassification, AutoTokenizer
    from trl.experimental.prm import PRMConfig, PRMTrainer

    # datasets names caches by hashing all that a function reaches; beside torch's compiler that is without end.
    fingerprint.Hasher.hash = staticmethod(lambda value: uuid.uuid4().hex)
    tuning: dict[str, Any] = {"per_device_train_batch_size": 8}
    if name == "trl tuned":
        tuning = {
            "train_sampling_strategy": "group_by_length",
            "gradient_checkpointing": False,
            "per_device_train_batch_size": BATCH,
        }
    with torch.device("cuda"):
        model = AutoModelForTokenClassification.from_config(config_of("0.5 B", tokenizer))
    model.load_state_dict(weights)
    model.set_attn_implementation("sdpa")
    arguments = PRMConfig(
        output_dir=str(folder / "trl-out"), num_train_epochs=1, learning_rate=RATE, bf16=True, save_strategy="no",
        report_to=[], disable_tqdm=True, seed=0, max_length=1024, logging_steps=1000, **tuning,
    )  # fmt: skip
    rows = _part([json.loads(line) for line in (folder / "trl.jsonl").open()], share)
    trainer = PRMTrainer(
        model=model, args=arguments, processing_class=AutoTokenizer.from_pretrained(folder / "base"),
        train_dataset=Dataset.from_list(rows),
    )  # fmt: skip
    seconds = _timed(trainer.train)
    return {"seconds": seconds, "updates": trainer.state.global_step, "rows": len(rows)}, model.state_dict()


def _part(rows: list[Any], share: float) -> list[Any]:
    return rows[: max(1, round(len(rows) * share))]


def _timed(work: Any) -> float:
    torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def matrix_rate() -> float:
    """TFLOP/s of large bfloat16 products of random matrices: the chip's rate as it is now."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        a @ b
    return 2 * 8192**3 * 20 / _timed(lambda: [a @ b for _ in range(20)]) / 1e12


def share_of_rate(folder: Path, rate: float) -> dict[str, Any]:
    """What part of the matrix rate updates of a 1.5 B model reach, the optimizer's step and packing included."""
    tokenizer = load_step_tokenizer(folder / "base")
    examples = examples_of(rows_of(folder, "train"), tokenizer)
    plain = fresh("1.5 B", tokenizer)
    model = ProcessRewardModel(plain).to("cuda")
    compile_layers(model, is_whole=True)
    settings = TrainingSettings(
        "classifier", UPDATES, learning_rate=RATE, batch_size=LARGE_BATCH, bfloat16=True, tokens_per_row=ROW
    )
    started = time.perf_counter()
    train(model, examples, settings)
    torch.cuda.synchronize()
    first = time.perf_counter() - started
    torch.cuda.reset_peak_memory_stats()
    seconds = _timed(lambda: train(model, examples, settings))
    read = [examples[index] for step in range(UPDATES) for index in batch_of(len(examples), settings, step)]
    operations = sum(operations_of(plain, example) for example in read)
    return {
        "updates": UPDATES,
        "solutions_in_an_update": LARGE_BATCH,
        "seconds": seconds,
        "seconds_with_compiling": first,
        "tokens_per_second": sum(example.tree.size for example in read) / seconds,
        "tflops": operations / seconds / 1e12,
        "share": operations / seconds / 1e12 / rate,
        "peak_mib": torch.cuda.max_memory_allocated() // 2**20,
    }


def operations_of(model: Any, example: Example) -> float:
    """Floating-point operations of matrix products for one chain, forward and backward (three times forward).

    The last layer makes keys and values of all tokens, and the rest for the tokens that are read alone.
    """
    layers = model.model.layers
    per_token = sum(p.numel() for p in layers[0].parameters() if p.dim() == 2)
    attention = layers[-1].self_attn
    of_keys = attention.k_proj.weight.numel() + attention.v_proj.weight.numel()
    tokens, reads, hidden = example.tree.size, len(example.reads), model.config.hidden_size
    products = (len(layers) - 1) * per_token * tokens + of_keys * tokens + (per_token - of_keys) * reads
    # Scores and mixtures of a causal chain: two products over half of the square.
    return 6.0 * products + 6.0 * (len(layers) - 1) * hidden * tokens**2


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=("prepare", "measure"), nargs="?", default="measure")
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "train_gpu")
    parser.add_argument("--cases", nargs="+", choices=samples.CASES, default=list(samples.CASES))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--processbench-records", type=int, default=160)
    parser.add_argument("--prm800k-records", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-share", action="store_true", help="of the matrix rate")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "train_gpu.json")
    return parser.parse_args()


def main() -> None:
    """Prepare, or measure where there is a GPU."""
    options = _options()
    if options.verb == "prepare":
        prepare(options)
    elif not torch.cuda.is_available():
        print("no GPU here: nothing to measure")
    else:
        if not options.folder.exists():
            prepare(options)
        measure(options)


if __name__ == "__main__":
    main()
