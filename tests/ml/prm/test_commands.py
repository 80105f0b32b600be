"""`python -m ml train` and `score` from a snapshot to scores, and what they refuse before they begin."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForTokenClassification, AutoTokenizer

from ml.commands import score as score_command
from ml.commands import train as train_command
from ml.errors import MisstepError, NotAvailable
from ml.prm import Unscored, load_scorer
from ml.prm.checkpoint import sha256_of
from ml.prm.model import build, small_config
from ml.prm.tokenization import learned_tokenizer
from ml.snapshot import combined_hash, write_snapshot
from tests.data import ROOT
from tests.ml.prm.toys import sums, with_neutrals

QUICK = ["--base", "small", "--steps", "3", "--batch-size", "8"]


def snapshot_of(tmp_path, rows=None, name="snapshot"):
    rows = rows or [*sums(20), *sums(6, seed=1, split="validation")]
    write_snapshot(tmp_path / name, rows, name="sums", labels="human")
    return tmp_path / name


def trained(tmp_path, capsys, *arguments, snapshot=None, out="checkpoint"):
    folder = snapshot or snapshot_of(tmp_path)
    given = ["--snapshot", str(folder), "--out", str(tmp_path / out), *QUICK, *arguments]
    assert train_command.main(given) == 0
    return tmp_path / out, json.loads(capsys.readouterr().out.splitlines()[-1])


def processbench_file(tmp_path, rows):
    path = tmp_path / "solutions.jsonl"
    lines = [
        {
            "id": row.id, "generator": "toy", "problem": row.problem, "steps": row.steps,
            "final_answer_correct": row.is_correct,
            "label": -1 if row.first_mistake is None else row.first_mistake,
        }
        for row in rows
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def scored(tmp_path, capsys, checkpoint, rows):
    out = tmp_path / "scores.jsonl"
    arguments = ["--checkpoint", str(checkpoint), "--solutions", str(processbench_file(tmp_path, rows))]
    assert score_command.main([*arguments, "--format", "processbench", "--out", str(out)]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    return [json.loads(line) for line in out.read_text().splitlines()], summary


@pytest.mark.parametrize("objective", ["classifier", "value", "preference", "outcome"])
def test_every_objective_trains_to_a_checkpoint_that_scores_each_step(tmp_path, capsys, objective):
    checkpoint, result = trained(tmp_path, capsys, "--objective", objective)
    assert result["objective"] == objective and result["metrics"]["validation"]["count"] == 6
    rows = sums(6, seed=1)
    lines, summary = scored(tmp_path, capsys, checkpoint, rows)
    assert [line["id"] for line in lines] == [row.id for row in rows]
    assert all(len(line["scores"]) == 3 and all(0 <= s <= 1 for s in line["scores"]) for line in lines)
    assert summary["solutions_of_training_problems"] == 0


def test_the_card_says_what_a_rerun_needs(tmp_path, capsys):
    checkpoint, _ = trained(tmp_path, capsys, "--seed", "7", "--neutral", "drop")
    card = json.loads((checkpoint / "card.json").read_text())
    manifest = json.loads((tmp_path / "snapshot" / "manifest.json").read_text())
    assert card["snapshot"]["sha256"] == manifest["sha256"]
    assert card["seed"] == 7 and card["label_rule"]["neutral"] == "drop"
    assert card["config"]["steps"] == 3 and not card["config"]["frozen_labels"]
    assert card["counts"]["train_rows"] == 20 and "torch" in card["dependencies"]
    assert str(tmp_path) not in (checkpoint / "card.json").read_text()
    assert not (tmp_path / "checkpoint.state").exists()


def test_an_outcome_model_scores_by_the_mean_over_tokens_where_asked(tmp_path, capsys):
    checkpoint, _ = trained(tmp_path, capsys, "--objective", "outcome", "--outcome-tokens", "all")
    row = sums(1)[0]
    found = load_scorer(checkpoint, mean_over_tokens=True).score(row.problem, row.steps)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    ids, ends = token_ids(tokenizer, row)
    start = len(tokenizer.encode(row.problem + "\n", add_special_tokens=False))
    with torch.inference_mode():
        model = AutoModelForTokenClassification.from_pretrained(checkpoint).eval()
        read = model(input_ids=torch.tensor([ids])).logits[0].softmax(1)[:, 1]
    assert found == pytest.approx([float(read[start : end + 1].mean()) for end in ends], abs=1e-6)
    # Siblings share their prefix, and its tokens count for both.
    twice = [Unscored("a", row.problem, row.steps), Unscored("b", row.problem, [row.steps[0], "no"])]
    scores = dict(load_scorer(checkpoint, mean_over_tokens=True).score_all(twice))
    assert scores["a"] == pytest.approx(found, abs=1e-6) and scores["b"][0] == pytest.approx(
        found[0], abs=1e-6
    )


def test_a_mean_over_tokens_is_refused_of_a_step_model(tmp_path, capsys):
    checkpoint, _ = trained(tmp_path, capsys)
    with pytest.raises(MisstepError, match="has objective classifier, expected outcome"):
        load_scorer(checkpoint, mean_over_tokens=True)


def token_ids(tokenizer, row):
    """The layout of `steps.json` written out: tokens of the whole solution, and where each step ends."""
    ids, ends = tokenizer.encode(row.problem + "\n", add_special_tokens=False), []
    for step in row.steps:
        ids += tokenizer.encode(step, add_special_tokens=False) + tokenizer.encode("\n")
        ends.append(len(ids) - 1)
    return ids, ends


def test_the_checkpoint_loads_in_plain_transformers_and_gives_the_same_scores(tmp_path, capsys):
    checkpoint, _ = trained(tmp_path, capsys)
    row = sums(1)[0]
    ours = load_scorer(checkpoint).score(row.problem, row.steps)
    model = AutoModelForTokenClassification.from_pretrained(checkpoint).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    assert model.config._attn_implementation == "sdpa"
    ids, ends = token_ids(tokenizer, row)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids])).logits[0, ends]
    assert logits.softmax(1)[:, 1].tolist() == pytest.approx(ours, abs=1e-6)


def test_a_checkpoint_of_target_tokens_is_a_plain_causal_model_with_the_same_scores(tmp_path, capsys):
    rows = [*with_neutrals(sums(20)), *sums(6, seed=1, split="validation")]
    snapshot = snapshot_of(tmp_path, rows)
    checkpoint, result = trained(tmp_path, capsys, "--head", "tokens", "--classes", "3", snapshot=snapshot)
    assert result["metrics"]["validation"]["count"] == 6
    row = sums(1)[0]
    ours = load_scorer(checkpoint).score(row.problem, row.steps)
    model = AutoModelForCausalLM.from_pretrained(checkpoint).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    targets = json.loads((checkpoint / "steps.json").read_text())["target_tokens"]
    assert targets == ["-", "+", "0"]
    ids, ends = token_ids(tokenizer, row)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids])).logits[0, ends]
    chances = logits[:, tokenizer.convert_tokens_to_ids(targets)].softmax(1)
    # Neutral counts as positive, as the label rule of this run says.
    assert (chances[:, 1] + chances[:, 2]).tolist() == pytest.approx(ours, abs=1e-6)


def test_target_tokens_need_an_objective_with_classes(tmp_path, capsys):
    message = refusal(
        tmp_path, capsys, "--head", "tokens", "--objective", "value", snapshot=snapshot_of(tmp_path)
    )
    assert "--head tokens with objective value, expected classifier or outcome" in message
    lonely = refusal(tmp_path, capsys, "--target-tokens", "no", "yes", snapshot=tmp_path / "snapshot")
    assert "--target-tokens without --head tokens" in lonely


@pytest.mark.parametrize("head", ["linear", "tokens"])
def test_the_lines_of_python_in_the_docs_run(tmp_path, capsys, monkeypatch, head):
    trained(tmp_path, capsys, "--head", head, out="CHECKPOINT")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "training.md").read_text(), re.DOTALL)
    wanted = [block for block in blocks if ("AutoModelForCausalLM" in block) == (head == "tokens")]
    assert wanted and len(blocks) == 3
    for block in wanted:
        names: dict = {}
        exec(compile(block, "docs/training.md", "exec"), names)
        if "probability" in names:
            (ours,) = load_scorer("CHECKPOINT").score("What is 2 + 3 * 4 =", ["3 * 4 = 12"])
            assert float(names["probability"].detach()) == pytest.approx(ours, abs=1e-6)


def test_the_same_command_gives_the_same_weights(tmp_path, capsys):
    snapshot = snapshot_of(tmp_path)
    one, _ = trained(tmp_path, capsys, snapshot=snapshot, out="one")
    two, _ = trained(tmp_path, capsys, snapshot=snapshot, out="two")
    assert (one / "model.safetensors").read_bytes() == (two / "model.safetensors").read_bytes()
    assert (one / "metrics.jsonl").read_bytes() == (two / "metrics.jsonl").read_bytes()


def test_a_given_base_is_trained_with_lora_and_published_merged(tmp_path, capsys):
    base = tmp_path / "base"
    tokenizer = learned_tokenizer([text for row in sums(4) for text in (row.problem, *row.steps)], 300)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    build(small_config(len(tokenizer), 2, **sizes)).save_pretrained(str(base))
    tokenizer.save_pretrained(str(base))
    checkpoint, result = trained(tmp_path, capsys, "--base", str(base), "--lora", "2")
    assert (checkpoint / "adapter" / "adapter_model.safetensors").exists()
    assert result["base"]["name"] == "base" and result["base"]["weights"] == "given"
    names = AutoModelForTokenClassification.from_pretrained(checkpoint).state_dict()
    assert not any("lora" in name for name in names)


def test_frozen_labels_serve_unless_the_rule_is_asked_to_change(tmp_path, capsys):
    silent = [replace(row, labels=[None] * 3, label_source=[None] * 3) for row in sums(8)]
    with_search = {"visits": [4] * 3, "correct": [4, 2, 0]}
    rows = [replace(row, automatic=with_search, options=[]) for row in silent]
    snapshot = snapshot_of(tmp_path, rows)
    with pytest.raises(MisstepError, match="no example has a target"):
        trained(tmp_path, capsys, snapshot=snapshot)
    _, result = trained(tmp_path, capsys, "--labels", "automatic", snapshot=snapshot)
    assert result["counts"]["labelled_steps"] == 24
    soft = ("--labels", "automatic", "--target", "soft")
    _, result = trained(tmp_path, capsys, *soft, snapshot=snapshot, out="soft")
    assert result["label_rule"]["target"] == "soft"


def refusal(tmp_path, capsys, *arguments, snapshot):
    with pytest.raises(MisstepError) as error:
        trained(tmp_path, capsys, *arguments, snapshot=snapshot)
    assert not (tmp_path / "checkpoint").exists()
    return str(error.value)


def test_a_changed_snapshot_is_refused(tmp_path, capsys):
    snapshot = snapshot_of(tmp_path)
    part = snapshot / "parts" / "part-00000.jsonl"
    part.write_text(part.read_text().replace('"train"', '"test"', 1))
    assert "sha256" in refusal(tmp_path, capsys, snapshot=snapshot)


def edited(snapshot, number, **changes):
    """Change one row behind the writer's back, with hashes that match: as another tool might write it."""
    part = snapshot / "parts" / "part-00000.jsonl"
    lines = part.read_text().splitlines()
    lines[number] = json.dumps({**json.loads(lines[number]), **changes})
    part.write_text("".join(line + "\n" for line in lines))
    manifest = json.loads((snapshot / "manifest.json").read_text())
    manifest["parts"][0]["sha256"] = sha256_of(part)
    manifest["sha256"] = combined_hash([sha256_of(part)])
    (snapshot / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"labels": [1.0, 1.0]}, "2 labels for 3 steps"),
        ({"steps": ["1 + 1 = 2", " ", "3"]}, "step 1 is empty"),
        ({"labels": [1.0, math.nan, None]}, "label nan at step 1"),
        ({"labels": [1.0, "fine", None]}, "label 'fine' at step 1"),
        ({"human": {"ratings": [1, 2, None]}}, r"ratings [1, 2, None]"),
        ({"automatic": {"soft": [1.0, math.nan, 0.0]}}, "automatic soft [1.0, nan, 0.0]"),
        ({"options": [{"position": 9, "text": "no", "rating": 1}]}, "an alternative at position 9"),
    ],
)
def test_a_bad_record_in_a_snapshot_is_refused_by_its_id_before_training(
    tmp_path, capsys, changes, complaint
):
    snapshot = snapshot_of(tmp_path)
    edited(snapshot, 4, **changes)
    assert f"record sum-0-4: {complaint}" in refusal(tmp_path, capsys, snapshot=snapshot)
    assert not list(tmp_path.glob("checkpoint*"))


def test_a_step_longer_than_the_context_is_refused_with_its_record(tmp_path, capsys):
    long = replace(sums(1)[0], id="windy", steps=["1 + 1 = 2 " * 100, "b", "c"])
    snapshot = snapshot_of(tmp_path, [*sums(8), long])
    message = refusal(tmp_path, capsys, "--maximum-length", "120", snapshot=snapshot)
    assert "record windy: step 0" in message and "expected at most the context of 120" in message


def test_a_problem_in_two_splits_is_refused(tmp_path, capsys):
    leaking = replace(sums(1)[0], id="again", split="validation")
    message = refusal(tmp_path, capsys, snapshot=snapshot_of(tmp_path, [*sums(8), leaking]))
    assert "1 problems stand in more than one split" in message


def test_a_snapshot_without_training_rows_is_refused(tmp_path, capsys):
    rows = [replace(row, split="test") for row in sums(4)]
    assert "no rows in split train" in refusal(tmp_path, capsys, snapshot=snapshot_of(tmp_path, rows))


def test_a_finished_checkpoint_is_not_written_over(tmp_path, capsys):
    checkpoint, _ = trained(tmp_path, capsys)
    before = (checkpoint / "card.json").read_bytes()
    with pytest.raises(MisstepError, match="already holds a checkpoint"):
        trained(tmp_path, capsys, snapshot=tmp_path / "snapshot")
    assert (checkpoint / "card.json").read_bytes() == before


def test_an_unknown_objective_is_not_available(tmp_path):
    with pytest.raises(NotAvailable, match="objective 'rank'"):
        train_command.main(["--snapshot", "x", "--out", "y", "--objective", "rank"])


def test_a_problem_seen_in_training_is_reported_when_it_is_scored(tmp_path, capsys):
    checkpoint, _ = trained(tmp_path, capsys)
    _, summary = scored(tmp_path, capsys, checkpoint, [*sums(2), *sums(2, seed=9)])
    assert summary["solutions_of_training_problems"] == 2


def test_scoring_from_a_torn_checkpoint_writes_nothing(tmp_path, capsys):
    checkpoint, _ = trained(tmp_path, capsys)
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(MisstepError, match="differ from manifest"):
        scored(tmp_path, capsys, checkpoint, sums(2))
    assert not list(tmp_path.glob("scores.jsonl*"))


def by_two_processes(snapshot, out, *arguments):
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "ml",
    ]
    given = ["train", "--snapshot", str(snapshot), "--out", str(out), *QUICK, *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *given], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]


def largest_difference(one, two):
    weights = [AutoModelForTokenClassification.from_pretrained(folder).state_dict() for folder in (one, two)]
    return max(float((weights[0][name] - weights[1][name]).abs().max()) for name in weights[0])


def test_two_processes_train_what_one_trains(tmp_path, capsys):
    snapshot = snapshot_of(tmp_path)
    alone, _ = trained(tmp_path, capsys, snapshot=snapshot, out="alone")
    by_two_processes(snapshot, tmp_path / "together")
    assert largest_difference(alone, tmp_path / "together") < 1e-4


def test_two_processes_with_split_weights_go_on_from_a_state_and_train_what_one_trains(tmp_path, capsys):
    snapshot = snapshot_of(tmp_path)
    # Short rows, of which the processes have unequal numbers.
    rows = ("--tokens-per-row", "100", "--save-every", "1", "--keep-state")
    alone, _ = trained(tmp_path, capsys, *rows, snapshot=snapshot, out="alone")
    together = tmp_path / "together"
    # States are whole: the two go on from the first one that the one process left, and leave the next.
    shutil.copytree(tmp_path / "alone.state" / "step-00000001", tmp_path / "together.state" / "step-00000001")
    by_two_processes(snapshot, together, *rows, "--shard")
    assert largest_difference(alone, together) < 1e-4
    states = [
        load_file(tmp_path / f"{n}.state/step-00000002/state.safetensors") for n in ("alone", "together")
    ]
    assert states[0].keys() == states[1].keys()
    assert all(torch.allclose(states[0][name], states[1][name], atol=1e-4) for name in states[0])
    card = json.loads((together / "card.json").read_text())
    assert card["config"]["sharded"] and card["config"]["processes"] == 2
    assert len((together / "metrics.jsonl").read_text().splitlines()) == 3
