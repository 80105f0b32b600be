"""A run that goes on under circumstances that no setting names says so, and its card remembers them."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager

from ml.prm import card as card_module
from ml.prm.checkpoint import seal
from ml.prm.distributed import Group
from ml.prm.optimizers import optimizers_of
from ml.prm.resuming import Mark, Run, resumed, save
from tests.ml.prm.commands import trained
from tests.ml.prm.test_training import sized_model


@contextmanager
def saying(states):
    """The only state with what its body is changed to, whole again."""
    (state,) = states.glob("step-*")
    body = json.loads((state / "state.json").read_text())
    yield body
    (state / "state.json").write_text(json.dumps(body))
    (state / "manifest.json").unlink()
    seal(state)


def made_by(commit: str, **dependencies: str) -> Mark:
    return Mark(made_by={"commit": commit, "dependencies": {"torch": "2.13.0", **dependencies}})


def test_a_run_that_goes_on_by_other_code_says_so_and_remembers_each_code_once(tmp_path, capsys):
    model = sized_model("classifier")
    optimizers = optimizers_of(model, "adamw", 1e-3, 0.0)
    first, second = made_by("abc"), made_by("def", numpy="2.0")
    save(tmp_path, model, optimizers, Run(step=1), first, Group())
    assert resumed(model, optimizers, tmp_path, first, Group()).earlier_attempts == []
    assert capsys.readouterr().err == ""
    run = resumed(model, optimizers, tmp_path, second, Group())
    told = "holds states of a run by commit abc, numpy None: it goes on by commit def, numpy 2.0"
    assert run.earlier_attempts == [first.made_by] and told in capsys.readouterr().err
    run.step = 2
    save(tmp_path, model, optimizers, run, second, Group())
    run = resumed(model, optimizers, tmp_path, first, Group())
    assert run.earlier_attempts == [second.made_by] and "it goes on by commit abc" in capsys.readouterr().err


def test_the_card_names_the_code_of_earlier_attempts_where_it_was_another(tmp_path, capsys, monkeypatch):
    out, _ = trained(tmp_path, capsys, "--keep-state")
    card = json.loads((out / "card.json").read_text())
    assert "earlier_attempts" not in card
    shutil.rmtree(out)
    monkeypatch.setattr(card_module, "code_commit", lambda: "later")
    out, _ = trained(tmp_path, capsys, "--keep-state", snapshot=tmp_path / "snapshot")
    again = json.loads((out / "card.json").read_text())
    assert again["commit"] == "later"
    assert again["earlier_attempts"] == [{name: card[name] for name in ("commit", "dependencies")}]


def test_a_run_that_goes_on_in_another_number_of_processes_says_so(tmp_path, capsys):
    model = sized_model("classifier")
    optimizers = optimizers_of(model, "adamw", 1e-3, 0.0)
    save(tmp_path, model, optimizers, Run(step=1), Mark(), Group())
    with saying(tmp_path) as body:
        body["processes"] = 2 * body["processes"]
    assert resumed(model, optimizers, tmp_path, Mark(), Group()).step == 1
    told = "holds states of a run in processes: 2; it goes on in 1, with other roundings and other dropout"
    assert told in capsys.readouterr().err
