"""The training benchmarks against trl: what they compare is the same on both sides, and they never run without it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ml.prm.bases import shipped_folder
from ml.prm.tokenization import StepTokenizer, pocket_layout, pocket_tokenizer
from ml.snapshot import SnapshotRow
from tests.benchmarks.train_throughput import trl_rows
from tests.data import ROOT

REQUIREMENTS = ROOT / "tests" / "benchmarks" / "trl-requirements.txt"


@pytest.mark.parametrize("name", ["train_throughput", "train_learning"])
def test_without_trl_a_benchmark_fails_with_one_sentence_that_says_what_to_do(
    name: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", "--trl-python", str(tmp_path / "python")]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out.json")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"trl is not at {tmp_path / 'python'}, expected `make bench-trl` first or --ours-alone"
    ]
    assert not (tmp_path / "out.json").exists()


def test_every_package_beside_trl_is_pinned_and_torch_is_ours() -> None:
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9.]*", line) for line in lines)
    ours = (ROOT / "constraints.txt").read_text().splitlines()
    torch = next(line for line in lines if line.startswith("torch=="))
    assert torch in ours
    assert "trl==1.13.0" in lines


def test_trl_reads_the_tokens_that_we_read_up_to_the_first_mistake() -> None:
    tokenizer = StepTokenizer(pocket_tokenizer(shipped_folder("pocket-reader")), pocket_layout(1024))
    row = SnapshotRow(
        id="a", problem_id="p", problem="1 + 2 * 3", steps=["2 * 3 = 6", "1 + 6 = 8", "So the answer is 8"],
        split="train", labels=[1.0, 0.0, None], label_source=["human", "human", None],
    )  # fmt: skip
    (given,) = trl_rows(row, tokenizer.layout.problem_end)
    nodes, left_out = tokenizer.solution(row.id, row.problem, row.steps[:2])
    assert left_out == 0
    assert _as_trl_reads(given, tokenizer) == [token for node in nodes for token in node]
    assert given["labels"] == [True, False]


def _as_trl_reads(row: dict[str, Any], tokenizer: StepTokenizer) -> list[int]:
    """PRMTrainer.tokenize_row of trl 1.13, without cutting."""
    own, read = tokenizer.tokenizer, [tokenizer.tokenizer.bos_token_id]
    read += own.encode(row["prompt"], add_special_tokens=False)
    for step in row["completions"]:
        read += own.encode(step, add_special_tokens=False)
        read += own.encode(tokenizer.layout.separator, add_special_tokens=False)
    return read
