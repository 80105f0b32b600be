"""`python -m ml train` and `score`, from a snapshot to scores."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForTokenClassification, AutoTokenizer

from ml.commands import score as score_command
from ml.commands import train as train_command
from ml.errors import MisstepError
from ml.prm import Unscored, load_scorer
from ml.prm.model import build, small_config
from ml.prm.tokenization import learned_tokenizer, load_step_tokenizer
from tests.ml.prm.commands import automatic_snapshot, processbench_file, scored, snapshot_of, trained
from tests.ml.prm.toys import sums, with_neutrals


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
    snapshot = snapshot_of(tmp_path, with_neutrals(sums(20)))
    checkpoint, _ = trained(tmp_path, capsys, "--seed", "7", "--neutral", "drop", snapshot=snapshot)
    card = json.loads((checkpoint / "card.json").read_text())
    manifest = json.loads((tmp_path / "snapshot" / "manifest.json").read_text())
    assert card["snapshot"]["sha256"] == manifest["sha256"]
    assert card["seed"] == 7 and card["label_rule"]["neutral"] == "drop"
    assert card["config"]["steps"] == 3 and not card["config"]["frozen_labels"]
    assert card["counts"]["train_rows"] == 20 and "torch" in card["dependencies"]
    assert str(tmp_path) not in (checkpoint / "card.json").read_text()
    assert not (tmp_path / "checkpoint.state").exists()


def test_the_usual_base_says_before_training_that_it_gives_way_to_a_small_one(tmp_path, capsys):
    given = ["--snapshot", str(snapshot_of(tmp_path)), "--out", str(tmp_path / "checkpoint"), "--steps", "1"]
    assert train_command.main(given) == 0
    told = capsys.readouterr()
    first = told.err.splitlines()[0]
    assert "--base pocket reads the pocket family's words only, and not 'Add " in first
    assert json.loads(told.out.splitlines()[-1])["base"]["instead_of"] == "pocket"


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


@pytest.mark.parametrize(("tolerance", "tokens"), [(0.0, "last"), (50.0, "last"), (50.0, "steps")])
def test_an_outcome_model_of_the_tokens_that_came_is_their_product(tmp_path, capsys, tolerance, tokens):
    given = ("--objective", "outcome", "--head", "likelihood", "--tolerance", str(tolerance))
    given = (*given, "--outcome-tokens", tokens)
    checkpoint, _ = trained(tmp_path, capsys, *given)
    row = sums(1)[0]
    found = load_scorer(checkpoint).score(row.problem, row.steps)
    tokenizer = load_step_tokenizer(checkpoint)
    assert tokenizer.layout.tolerance == tolerance
    ids, ends = token_ids(tokenizer.tokenizer, row)
    start = len(ids) - len(token_ids(tokenizer.tokenizer, replace(row, problem=""))[0])
    with torch.inference_mode():
        logits = AutoModelForCausalLM.from_pretrained(checkpoint).eval()(torch.tensor([ids])).logits[0]
    p = logits[:-1].softmax(1).gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
    came = p * (1 + tolerance) / (1 + tolerance * p)
    # Behind the problem, from the token that the problem's last one predicts; what closes a step is not read.
    for end in ends:
        came[end - len(tokenizer.separator) : end] = 1.0
    assert found == pytest.approx([float(came[start:end].prod()) for end in ends], abs=1e-6)
    with pytest.raises(MisstepError, match="head likelihood, expected another"):
        load_scorer(checkpoint, mean_over_tokens=True)


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


def test_the_same_command_gives_the_same_weights(tmp_path, capsys):
    snapshot = snapshot_of(tmp_path)
    one, _ = trained(tmp_path, capsys, snapshot=snapshot, out="one")
    two, _ = trained(tmp_path, capsys, snapshot=snapshot, out="two")
    assert (one / "model.safetensors").read_bytes() == (two / "model.safetensors").read_bytes()
    assert (one / "metrics.jsonl").read_bytes() == (two / "metrics.jsonl").read_bytes()


def test_going_on_from_a_checkpoint_keeps_its_tolerance_unless_another_is_asked(tmp_path, capsys):
    snapshot = snapshot_of(tmp_path)
    given = ("--head", "likelihood", "--steps", "1")
    first, _ = trained(tmp_path, capsys, *given, "--tolerance", "7", snapshot=snapshot, out="first")
    again = ("--base", str(first), *given)
    kept, _ = trained(tmp_path, capsys, *again, snapshot=snapshot, out="kept")
    changed, _ = trained(tmp_path, capsys, *again, "--tolerance", "0", snapshot=snapshot, out="changed")
    found = [load_step_tokenizer(folder).layout.tolerance for folder in (kept, changed)]
    assert found == [7.0, 0.0]


def test_a_problem_with_all_its_solutions_is_one_example_where_asked(tmp_path, capsys):
    rows = sums(4)
    again = [replace(row, id=f"{row.id}-again") for row in rows]
    options = ("--trees", "problem", "--head", "likelihood", "--optimizer", "muon", "--steps", "3")
    checkpoint, result = trained(tmp_path, capsys, *options, snapshot=snapshot_of(tmp_path, rows + again))
    counts = result["counts"]
    assert (counts["train_rows"], counts["train_examples"], counts["train_trees"]) == (8, 8, 4)
    config = json.loads((checkpoint / "card.json").read_text())["config"]
    assert (config["trees"], config["optimizer"]) == ("problem", "muon")


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


def test_the_rule_of_frozen_labels_decides_the_alternatives_too_and_stands_on_the_card(tmp_path, capsys):
    neutral = [{"position": 0, "text": "Let us add", "rating": 0}]
    rows = [replace(row, options=neutral) for row in with_neutrals(sums(4))]
    steps = sum(label is not None for row in rows for label in row.labels)
    rule = {"labels": "human", "neutral": "drop", "threshold": 0.25, "a later version's": 1}
    snapshot = snapshot_of(tmp_path, rows, rule=rule)
    _, result = trained(tmp_path, capsys, snapshot=snapshot)
    assert (result["label_rule"]["neutral"], result["label_rule"]["threshold"]) == ("drop", 0.25)
    assert result["counts"]["labelled_steps"] == steps
    _, result = trained(tmp_path, capsys, "--neutral", "negative", snapshot=snapshot, out="asked")
    assert (result["label_rule"]["neutral"], result["label_rule"]["threshold"]) == ("negative", 0.0)


def test_what_was_counted_and_found_to_be_none_stands_on_the_card(tmp_path, capsys):
    earlier, result = trained(tmp_path, capsys, out="earlier")
    assert result["counts"]["truncated_steps"] == result["counts"]["truncated_solutions"] == 0
    asked = ("--labels", "automatic", "--second-opinion", str(earlier), "--second-opinion-sure", "1")
    snapshot = automatic_snapshot(tmp_path)
    _, result = trained(
        tmp_path, capsys, *asked, "--second-opinion-doubtful", "0", snapshot=snapshot, out="second"
    )
    assert result["counts"]["disbelieved_rows"] == result["counts"]["opinion_unasked_steps"] == 0


def test_a_look_that_broke_off_is_no_faultless_solution_to_validate_on(tmp_path, capsys):
    right, wrong = sums(2, seed=1, split="validation")
    broken_off = {"labels": [1.0, 1.0, None], "label_source": ["human", "human", None]}
    dropped = {"labels": [1.0, None, 1.0], "label_source": ["human", None, "human"]}
    finished = {"ratings": [1, 0, 1], "finish_reason": "solution"}
    rows = [
        *sums(4), right, wrong, replace(right, id="silent", labels=[None] * 3, label_source=[None] * 3),
        replace(right, id="given up", **broken_off, human={"finish_reason": "give_up"}),
        replace(right, id="unknown", **broken_off), replace(right, id="neutral", **dropped, human=finished),
    ]  # fmt: skip
    _, result = trained(tmp_path, capsys, snapshot=snapshot_of(tmp_path, rows))
    # The right one, the wrong one, the neutral one.
    counts = {name: result["metrics"]["validation"][name] for name in ("count", "count_wrong", "count_right")}
    assert counts == {"count": 3, "count_wrong": 1, "count_right": 2}


def test_frozen_labels_serve_unless_the_rule_is_asked_to_change(tmp_path, capsys):
    silent = [replace(row, labels=[None] * 3, label_source=[None] * 3) for row in sums(8)]
    with_search = {"visits": [4] * 3, "correct": [4, 2, 0]}
    rows = [replace(row, automatic=with_search, options=[]) for row in silent]
    snapshot = snapshot_of(tmp_path, rows)
    with pytest.raises(MisstepError, match="to train on has a target for --objective"):
        trained(tmp_path, capsys, snapshot=snapshot)
    _, result = trained(tmp_path, capsys, "--labels", "automatic", snapshot=snapshot)
    assert result["counts"]["labelled_steps"] == 24
    soft = ("--labels", "automatic", "--target", "soft")
    _, result = trained(tmp_path, capsys, *soft, snapshot=snapshot, out="soft")
    assert result["label_rule"]["target"] == "soft"


def test_scoring_tells_its_total_from_the_start_and_ends_with_all_that_was_scored(
    tmp_path, capsys, monkeypatch
):
    checkpoint, _ = trained(tmp_path, capsys)
    monkeypatch.setenv("MISSTEP_PROGRESS", "json")
    given = processbench_file(tmp_path, sums(9))
    out = tmp_path / "scores.jsonl"
    arguments = ["--checkpoint", str(checkpoint), "--solutions", str(given), "--format", "processbench"]
    assert score_command.main([*arguments, "--out", str(out)]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    reports = [line["progress"] for line in told if "progress" in line]
    assert {report["total"] for report in reports} == {9} and reports[-1]["done"] == 9
