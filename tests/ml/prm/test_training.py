"""The loop: it learns, it repeats itself bit for bit, it survives kills, and LoRA touches nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from ml.errors import MisstepError
from ml.prm.checkpoint import newest_state, read_state
from ml.prm.example import Example
from ml.prm.likelihood import TOLERANCE
from ml.prm.model import ProcessRewardModel, build, recompute_activations, small_config, with_lora
from ml.prm.packing import pack
from ml.prm.resuming import Mark
from ml.prm.train import Terminated, TrainingSettings, learning_rate_at, train
from tests.ml.prm.toys import examples_of, sums, tiny_model, tokenizer, with_neutrals

STEPS = tokenizer()
MINE = Mark("f", {"weights": {"name": "small"}})
OUTPUTS = {"classifier": 2, "outcome": 2, "value": 1, "preference": 1}


def weights_hash(model: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def sized_model(
    objective: str, outputs: int | None = None, targets: Sequence[int] = (), tolerance: float | None = None
) -> ProcessRewardModel:
    return tiny_model(
        len(STEPS.tokenizer), outputs or OUTPUTS[objective], targets=targets, tolerance=tolerance
    )


LIKELIHOOD = "classifier, the tokens that came"
RAW = "preference, compared without a bound"
# Objective, classes (or a scalar), the language model's words where its own head is read, and updates that suffice.
BY_HEART = {
    "classifier, two classes": ("classifier", 2, (), 250),
    "classifier, neutral its own": ("classifier", 3, (), 150),
    "classifier, two target tokens": ("classifier", 2, ("-", "+"), 150),
    "classifier, three target tokens": ("classifier", 3, ("-", "+", "0"), 150),
    # A fresh language model has the words themselves to learn before it can be sure of any.
    LIKELIHOOD: ("classifier", 2, (), 400),
    "outcome, last token": ("outcome", 2, (), 60),
    "outcome, target tokens": ("outcome", 2, ("-", "+"), 60),
    "value": ("value", 1, (), 100),
    "preference": ("preference", 1, (), 100),
    RAW: ("preference", 1, (), 60),
}


@pytest.mark.parametrize("case", BY_HEART)
def test_twenty_records_are_learned_by_heart(case):
    torch.set_num_threads(1)
    objective, outputs, words, updates = BY_HEART[case]
    # Where a mistaken first step looks like all the right ones, tanh saturates before the pair is learned:
    # the preference records are those whose trajectory is right, against their wrong alternatives.
    rows = sums(40)[::2] if objective == "preference" else with_neutrals(sums(20))
    examples = examples_of(objective, rows, STEPS, outputs=outputs, alternatives=objective == "preference")
    assert len(examples) == 20
    targets = [STEPS.tokenizer.convert_tokens_to_ids(word) for word in words]
    model = sized_model(objective, outputs, targets, TOLERANCE if case == LIKELIHOOD else None)
    # A classifier of so few records is thrown back by the steps that bring the others there soon.
    rate = 3e-3 if objective == "classifier" else 1e-2
    settings = TrainingSettings(objective, updates, learning_rate=rate, batch_size=20, weight_decay=0.0)
    if case == RAW:
        settings = replace(settings, preference_output="raw_then_tanh5")
    run = train(model, examples, settings)
    # With tanh the margin cannot pass 2, which leaves log(1 + e^-2) of every pair, weighted.
    floor = 0.0
    if case == "preference":
        weights = sum(w for e in examples for _, _, w in e.pairs) / sum(e.parents for e in examples)
        floor = weights * 0.12693
    assert run.history[-1]["loss"] - floor < 0.01
    assert run.history[-1]["accuracy"] == 1.0


def short_run(folder: Path | None, steps: int = 12, mark: Mark = MINE, **changes) -> tuple[str, list]:
    examples = examples_of("classifier", sums(20), STEPS)
    model = sized_model("classifier")
    settings = TrainingSettings("classifier", steps, batch_size=8, **{"save_every": 3, **changes})
    run = train(model, examples, settings, folder, mark)
    return weights_hash(model), run.history


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    torch.set_num_threads(1)
    assert short_run(None) == short_run(None)
    assert short_run(None)[0] != short_run(None, seed=1)[0]


def test_several_rows_an_update_learn_what_one_row_learns():
    one, two = short_run(None), short_run(None, tokens_per_row=64)
    assert [h["loss"] for h in two[1]] == pytest.approx([h["loss"] for h in one[1]], rel=1e-4)


def in_child(work) -> int:
    """Run `work` in a forked process; returns its number."""
    child = os.fork()
    if child:
        return child
    try:
        torch.set_num_threads(1)
        work()
        os._exit(0)
    except Terminated:
        os._exit(143)
    except BaseException:
        os._exit(99)


def runs(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def saved_step(folder: Path) -> int:
    newest = newest_state(folder)
    return 0 if newest is None else read_state(newest).step


def test_killed_twenty_times_and_resumed_the_weights_are_the_same_bit_for_bit(tmp_path):
    torch.set_num_threads(1)
    undisturbed = short_run(None, steps=60)
    whole = json.loads(json.dumps(undisturbed))
    started = time.monotonic()
    short_run(tmp_path / "timing", steps=60)
    duration = time.monotonic() - started
    generator, kills, finished, went_on_from = random.Random(0), 0, 0, set()
    while kills < 20:
        folder, result = tmp_path / f"run-{finished}", tmp_path / f"result-{finished}"
        before = saved_step(folder)
        child = in_child(lambda to=result, of=folder: to.write_text(json.dumps(short_run(of, steps=60))))
        # A run that had begun to save is what a kill can harm; one that gets to the end first is judged by its end.
        while runs(child) and not (folder.exists() and any(folder.iterdir())):
            time.sleep(0.001)
        time.sleep(generator.uniform(0.05, 0.3) * duration)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        kills += os.WIFSIGNALED(status)
        if not os.WIFSIGNALED(status):
            assert os.WEXITSTATUS(status) == 0
            assert json.loads(result.read_text()) == whole
            finished += 1
        # One that began anew would have put its first state in the place of later ones.
        assert saved_step(folder) >= before
        went_on_from.add(before)
    assert went_on_from - {0, 60}, "no run went on from the middle"
    assert short_run(tmp_path / f"run-{finished}", steps=60) == undisturbed


def test_nothing_to_learn_is_refused():
    with pytest.raises(MisstepError, match="no example has a target"):
        train(tiny_model(), [], TrainingSettings("classifier", 1))


def test_the_rate_warms_up_and_falls_to_a_tenth():
    settings = TrainingSettings("classifier", 100, learning_rate=1.0, warmup=0.1)
    rates = [learning_rate_at(step, settings) for step in range(101)]
    assert (
        rates[0] == pytest.approx(0.1) and rates[9] == pytest.approx(1.0) and rates[10] == pytest.approx(1.0)
    )
    assert rates[100] == pytest.approx(0.1)
    assert all(later <= earlier for earlier, later in pairwise(rates[10:]))


def lora_model(targets: Sequence[int] = ()) -> ProcessRewardModel:
    torch.manual_seed(0)
    config = small_config(len(STEPS.tokenizer), 2, hidden_size=32, num_hidden_layers=2, num_attention_heads=2)
    adapted = with_lora(build(config, bool(targets)), 4, seed=0, has_language_head=bool(targets))
    return ProcessRewardModel(adapted, targets)


HEADS = pytest.mark.parametrize("targets", [(), (7, 3)], ids=["linear head", "target tokens"])


def train_shortly(model: ProcessRewardModel) -> list[Example]:
    examples = examples_of("classifier", sums(20), STEPS)
    train(model, examples, TrainingSettings("classifier", 10, learning_rate=1e-2, batch_size=8))
    return examples


@HEADS
def test_lora_changes_the_adapter_and_a_fresh_head_and_nothing_else(targets):
    model = lora_model(targets)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    train_shortly(model)
    changed = {n for n, tensor in model.state_dict().items() if not torch.equal(tensor, before[n])}
    assert changed and all("lora_" in name or "modules_to_save" in name for name in changed)
    assert any("lora_B" in name for name in changed)
    # The language model's own head knows its tokens: it is not trained beside the adapter.
    assert any("modules_to_save" in name for name in changed) == (not targets)


@HEADS
def test_a_merged_adapter_scores_as_the_adapter_did(targets):
    model = lora_model(targets)
    examples = train_shortly(model)
    row = pack([examples[0].tree], [examples[0].reads])
    adapted = model.eval()(row).detach()
    merged = ProcessRewardModel(model.model.merge_and_unload(), targets).eval()
    assert not any("lora" in name for name, _ in merged.named_parameters())
    assert float((merged(row).detach() - adapted).abs().max()) < 1e-5


def test_adapters_go_where_they_are_named_and_nowhere_else():
    config = small_config(50, 2, hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
    model = with_lora(build(config), 2, seed=0, targets=["q_proj", "v_proj"])
    adapted = {name.split(".lora_")[0].rsplit(".", 1)[1] for name in model.state_dict() if ".lora_" in name}
    assert adapted == {"q_proj", "v_proj"}
    with pytest.raises(
        MisstepError, match="c_attn: the base has no such layer in its blocks, expected some of q_proj"
    ):
        with_lora(build(config), 2, seed=0, targets=["c_attn"])


def test_an_unloaded_adapter_leaves_the_base_as_it_was():
    torch.manual_seed(0)
    config = small_config(len(STEPS.tokenizer), 2, hidden_size=32, num_hidden_layers=2, num_attention_heads=2)
    base = build(config)
    before = {name: tensor.clone() for name, tensor in base.model.state_dict().items()}
    model = ProcessRewardModel(with_lora(base, 4, seed=0))
    train_shortly(model)
    after = model.model.unload().model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_gradient_checkpointing_and_bf16_change_the_cost_and_not_the_lesson():
    def lesson(recomputes: bool) -> tuple[list[float], int]:
        """The losses, and how often the first layer's network was entered."""
        model, calls = sized_model("classifier"), []
        model.model.model.layers[0].mlp.register_forward_pre_hook(lambda *_: calls.append(1))
        if recomputes:
            recompute_activations(model.plain)
        settings = TrainingSettings("classifier", 12, batch_size=8)
        run = train(model, examples_of("classifier", sums(20), STEPS), settings)
        return [h["loss"] for h in run.history], len(calls)

    (plain, once), (again, twice) = lesson(False), lesson(True)
    assert again == pytest.approx(plain, rel=1e-5)
    assert twice == 2 * once > 0
    half = [h["loss"] for h in short_run(None, bfloat16=True)[1]]
    assert half == pytest.approx(plain, rel=0.05)
    assert half != pytest.approx(plain, rel=1e-5)
