"""What goes on from a state: the same run on the same base, and nothing else; and what asks a run to stop."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time

import pytest
import torch
from safetensors.torch import load_file, save_file

from ml.errors import MisstepError
from ml.prm import train as training
from ml.prm.checkpoint import seal
from ml.prm.distributed import Group
from ml.prm.model import ProcessRewardModel, build, small_config, with_lora
from ml.prm.optimizers import optimizers_of
from ml.prm.resuming import Mark, Run, resumed, save
from ml.prm.termination import TerminationFlag
from ml.prm.train import Terminated, TrainingSettings, train
from tests.ml.prm.commands import snapshot_of, trained
from tests.ml.prm.processes import ended, started
from tests.ml.prm.test_training import MINE, STEPS, in_child, short_run, sized_model, weights_hash
from tests.ml.prm.toys import examples_of, forget_last_state, newest_state_of, sums


def test_a_resumed_run_reports_where_it_began(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MISSTEP_PROGRESS", "json")
    short_run(tmp_path, steps=4)
    forget_last_state(tmp_path)
    capsys.readouterr()
    short_run(tmp_path, steps=4)
    report = json.loads(capsys.readouterr().out.splitlines()[-1])["progress"]
    assert (report["begun_at"], report["done"]) == (3, 4)


def test_sigterm_saves_and_the_run_goes_on_from_there(tmp_path):
    child = in_child(lambda: short_run(tmp_path / "state", steps=5000, save_every=100_000))
    time.sleep(0.7)
    os.kill(child, signal.SIGTERM)
    started = time.monotonic()
    _, status = os.waitpid(child, 0)
    assert os.WEXITSTATUS(status) == 143 and time.monotonic() - started < 30
    state = newest_state_of(tmp_path / "state")
    assert state is not None and 0 < state.step < 5000
    assert len(state.body["history"]) == state.step


def test_ctrl_c_saves_and_ends_with_a_status_of_its_own(tmp_path):
    given = ("--steps", "100000", "--save-every", "1")
    process = started(snapshot_of(tmp_path), tmp_path / "out", *given, MISSTEP_PROGRESS="json")
    assert "progress" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    status, words = ended(process)
    assert status == 130 and "stopped at step" in words
    assert newest_state_of(tmp_path / "out.state") is not None


def several_rows(folder, after: int | None = None, **changes):
    """A run whose updates have several packed rows and draw at random; with `after` it is asked to stop once so many
    rows have been read. Returns the weights' hash, the history, and the rows that were read."""
    examples = examples_of("classifier", sums(20), STEPS)
    torch.manual_seed(0)
    config = small_config(len(STEPS.tokenizer), 2, hidden_size=32, num_hidden_layers=2, num_attention_heads=2)
    model = ProcessRewardModel(with_lora(build(config), 4, seed=0, dropout=0.3))
    read = []

    def ask(*_):
        read.append(1)
        if len(read) == after:
            signal.raise_signal(signal.SIGTERM)

    model.register_forward_pre_hook(ask)
    settings = TrainingSettings("classifier", 4, batch_size=8, tokens_per_row=64, **changes)
    try:
        history = train(model, examples, settings, folder, MINE).history
        return weights_hash(model), history, len(read)
    except Terminated:
        assert all(parameter.grad is None for parameter in model.parameters())
        return None, None, len(read)


@pytest.mark.parametrize("save_every", [1, 1000])
def test_sigterm_amid_an_update_drops_it_and_the_run_goes_on_to_the_same_bits(tmp_path, save_every):
    _, history, rows = several_rows(None)
    in_update = rows // 4
    assert in_update >= 4
    # In the second row of the third update.
    asked = 2 * in_update + 2
    assert several_rows(tmp_path, after=asked, save_every=save_every)[2] == asked
    state = newest_state_of(tmp_path)
    assert state is not None and state.step == 2
    assert state.body["history"] == history[:2]
    whole, again = several_rows(None), several_rows(tmp_path, save_every=save_every)
    assert again[:2] == whole[:2] and again[2] == 2 * in_update


def test_sigterm_amid_the_first_update_leaves_nothing_and_the_run_begins_anew(tmp_path):
    assert several_rows(tmp_path, after=1)[2] == 1
    assert newest_state_of(tmp_path) is None
    assert several_rows(tmp_path)[:2] == several_rows(None)[:2]


def weighed(model):
    """A look that finds what the weights are: another model would find something else."""

    def look(is_stopping):
        return {"validation_loss": float(sum(p.detach().double().sum() for p in model.parameters()))}

    return look


@pytest.mark.parametrize("step", [2, 4])
def test_sigterm_during_a_look_ends_it_and_the_run_looks_again_when_it_goes_on(tmp_path, step):
    examples = examples_of("classifier", sums(8), STEPS)
    settings = TrainingSettings("classifier", 4, batch_size=4, save_every=1000, validate_every=2)
    model = sized_model("classifier")
    whole = train(model, examples, settings, validate=weighed(model))
    begun = sized_model("classifier")

    def look(is_stopping):
        if len(looked) * 2 + 2 < step:
            looked.append(step)
            return weighed(begun)(is_stopping)
        assert not is_stopping()
        signal.raise_signal(signal.SIGTERM)
        # A kill -9 here loses nothing either.
        state = newest_state_of(tmp_path)
        assert state is not None and state.step == step
        return None if is_stopping() else pytest.fail("nobody heard it")

    looked: list[int] = []
    with pytest.raises(Terminated, match=f"stopped at step {step}"):
        train(begun, examples, settings, tmp_path, validate=look)
    again = sized_model("classifier")
    assert train(again, examples, settings, tmp_path, validate=weighed(again)).history == whole.history


def test_a_look_that_was_found_is_not_looked_for_again(tmp_path):
    examples = examples_of("classifier", sums(8), STEPS)
    settings = TrainingSettings("classifier", 4, batch_size=4, save_every=1, validate_every=2)
    model = sized_model("classifier")
    train(model, examples, settings, tmp_path, validate=weighed(model))
    forget_last_state(tmp_path)
    looked = []
    again = sized_model("classifier")

    def look(is_stopping):
        looked.append(1)
        return weighed(again)(is_stopping)

    train(again, examples, settings, tmp_path, validate=look)
    assert looked == [1]


def test_a_run_that_goes_on_on_another_kind_of_device_says_so(tmp_path, capsys):
    model = sized_model("classifier")
    optimizers = optimizers_of(model, "adamw", 1e-3, 0.0)
    save(tmp_path, model, optimizers, Run(step=1), Mark(), Group(device="cuda:1"))
    assert resumed(model, optimizers, tmp_path, Mark(), Group()).step == 1
    assert "holds states of a run on cuda: it goes on on cpu" in capsys.readouterr().err
    save(tmp_path, model, optimizers, Run(step=2), Mark(), Group())
    assert resumed(model, optimizers, tmp_path, Mark(), Group()).step == 2
    assert capsys.readouterr().err == ""


def test_a_run_that_goes_on_with_another_number_of_threads_says_so(tmp_path, capsys, monkeypatch):
    model = sized_model("classifier")
    optimizers, threads = optimizers_of(model, "adamw", 1e-3, 0.0), torch.get_num_threads()
    save(tmp_path, model, optimizers, Run(step=1), Mark(), Group())
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads + 1)
    assert resumed(model, optimizers, tmp_path, Mark(), Group()).step == 1
    told = capsys.readouterr().err
    assert f"a run on {threads} CPU threads: it goes on with {threads + 1}" in told
    assert told.endswith(f"give --threads {threads}\n")


def test_what_ended_between_its_last_update_and_its_checkpoint_makes_no_update_again(tmp_path, monkeypatch):
    whole = short_run(tmp_path, steps=6, save_every=100)
    state = newest_state_of(tmp_path)
    assert state is not None and state.step == 6 and state.body["seconds"] > 0
    monkeypatch.setattr(training, "gradients_of", lambda *given: pytest.fail("an update was made again"))
    assert short_run(tmp_path, steps=6, save_every=100) == whole


def test_a_run_that_goes_on_knows_how_long_it_took_before(tmp_path):
    state = tmp_path / "state"
    examples, settings = (
        examples_of("classifier", sums(8), STEPS),
        TrainingSettings("classifier", 4, save_every=2),
    )
    first = train(sized_model("classifier"), examples, settings, state)
    assert first.earlier_seconds == 0 and first.seconds > 0
    again = train(sized_model("classifier"), examples, settings, state)
    assert (again.earlier_seconds, again.seconds) == (first.seconds, 0)


def test_states_of_another_run_are_not_resumed(tmp_path):
    short_run(tmp_path, steps=6)
    with pytest.raises(MisstepError, match="other settings or data"):
        short_run(tmp_path, steps=6, mark=Mark("another"))


def test_states_that_began_from_another_base_are_not_resumed(tmp_path):
    short_run(tmp_path, steps=6)
    with pytest.raises(MisstepError, match=r"another base \(weights\)"):
        short_run(tmp_path, steps=6, mark=Mark("f", {"weights": {"name": "pocket"}}))


def test_a_run_whose_reader_has_died_saves_and_stops(tmp_path):
    def deaf() -> None:
        reads, writes = os.pipe()
        os.close(reads)
        os.dup2(writes, 1)
        sys.stdout = os.fdopen(1, "w")
        os.environ["MISSTEP_PROGRESS"] = "json"
        short_run(tmp_path, steps=500, save_every=100_000)

    _, status = os.waitpid(in_child(deaf), 0)
    assert os.WEXITSTATUS(status) == 143
    state = newest_state_of(tmp_path)
    assert state is not None and state.step == 1


def with_other_weights(base):
    weights = load_file(base / "model.safetensors")
    save_file({name: tensor + 0.1 for name, tensor in weights.items()}, base / "model.safetensors")


def with_another_tokenizer(base):
    path = base / "tokenizer.json"
    # As many words as before, two of them at each other's place: nothing of another shape.
    words = json.loads(path.read_text())
    known = words["model"]["vocab"]
    first, second = sorted(known)[-2:]
    known[first], known[second] = known[second], known[first]
    path.write_text(json.dumps(words))


def with_another_config(base):
    path = base / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "rms_norm_eps": 0.01}))


@pytest.mark.parametrize(
    ("change", "other"),
    [
        (with_other_weights, "weights"),
        (with_another_tokenizer, "tokenizer, or --separator or --problem-end"),
        (with_another_config, "model"),
    ],
)
def test_a_command_does_not_go_on_where_another_base_stands_behind_the_name(tmp_path, capsys, change, other):
    snapshot = snapshot_of(tmp_path)
    base, _ = trained(tmp_path, capsys, snapshot=snapshot, out="base")
    again = ["--base", str(base), "--lora", "2", "--keep-state"]
    out, _ = trained(tmp_path, capsys, *again, snapshot=snapshot)
    shutil.rmtree(out)
    trained(tmp_path, capsys, *again, snapshot=snapshot)
    shutil.rmtree(out)
    change(base)
    (base / "manifest.json").unlink()
    seal(base)
    with pytest.raises(MisstepError, match=rf"another base \({other}\)"):
        trained(tmp_path, capsys, *again, snapshot=snapshot)


def test_a_first_ctrl_c_is_a_request_and_a_second_ends_it_at_once():
    with pytest.raises(KeyboardInterrupt), TerminationFlag() as flag:
        signal.raise_signal(signal.SIGINT)
        assert flag.raised
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_a_request_to_stop_after_the_last_look_is_passed_on():
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        with TerminationFlag():
            signal.raise_signal(signal.SIGTERM)
            assert heard == []
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)
