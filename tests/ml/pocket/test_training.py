"""Training and its gate, on a model so small that it learns nothing."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402
from transformers import LlamaForCausalLM  # noqa: E402

from ml.errors import MisstepError  # noqa: E402
from ml.pocket import feeding, training  # noqa: E402
from ml.pocket.lessons import Lesson  # noqa: E402
from ml.pocket.policy import load_pocket_policy  # noqa: E402
from ml.pocket.taller import taller  # noqa: E402
from ml.prm.bases import Base, HeadSettings, open_base, shipped_folder  # noqa: E402
from ml.prm.compiling import compile_layers  # noqa: E402
from tests.ml.pocket.test_feeding import warm_writers  # noqa: E402

__all__ = ["warm_writers"]


@pytest.fixture(autouse=True)
def a_small_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(feeding, "LESSONS_SORTED", 40)


def _words(base: Base) -> list[str]:
    """A problem and a step as the base reads them; vocabularies may be numbered in other orders."""
    ids = base.tokenizer.problem("((1 + 2) * 3) =") + base.tokenizer.step("Let's calculate A = 3.")
    return base.tokenizer.tokenizer.convert_ids_to_tokens(ids)


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    training.train(3, tmp_path / "policy", 0, hidden=32, layers=1, tokens=1024, rate=3e-3, resume=None)
    return tmp_path / "policy"


def test_training_writes_a_folder_that_loads_and_can_be_resumed(trained: Path, tmp_path: Path) -> None:
    first = load_pocket_policy(trained)
    again = tmp_path / "again"
    training.train(1, again, 1, hidden=32, layers=1, tokens=1024, rate=0.0, resume=trained)
    assert load_pocket_policy(again).name == first.name


def test_what_was_trained_is_a_base_that_reads_as_the_shipped_ones_do(trained: Path) -> None:
    head = HeadSettings(tolerance=50.0)
    ours = open_base(str(trained), [], head, 0, None, from_scratch=False)
    shipped = open_base("pocket-reader", [], head, 0, None, from_scratch=False)
    assert ours.tokenizer.layout == shipped.tokenizer.layout
    assert _words(ours) == _words(shipped)


def test_two_runs_with_as_many_writers_give_the_same_weights(tmp_path: Path, warm_writers: None) -> None:
    for name in ("one", "two"):
        training.train(3, tmp_path / name, 0, 32, 1, tokens=1024, rate=3e-3, resume=None, writers=2)
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


@pytest.mark.parametrize("is_fast", [True, False])
def test_products_are_narrow_only_where_that_is_fast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_fast: bool
) -> None:
    seen: set[torch.dtype] = set()
    monkeypatch.setattr(training, "narrow_is_fast", lambda device: is_fast)
    original = torch.nn.functional.silu
    monkeypatch.setattr(
        torch.nn.functional,
        "silu",
        lambda x, *rest, **named: seen.add(x.dtype) or original(x, *rest, **named),
    )
    training.train(1, tmp_path / "policy", 0, hidden=32, layers=1, tokens=1024, rate=3e-3, resume=None)
    assert seen == {torch.bfloat16 if is_fast else torch.float32}


def test_compiled_layers_learn_what_others_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "narrow_is_fast", lambda device: False)
    # What is compiled is traced and put together again; making machine code of it would take most of a minute.
    monkeypatch.setattr(training, "compile_layers", partial(compile_layers, backend="aot_eager"))
    for name in ("plain", "compiled"):
        training.train(
            2, tmp_path / name, 0, 32, 1, tokens=1024, rate=3e-3, resume=None, is_compiled=name == "compiled"
        )
    plain, compiled = (load_file(tmp_path / name / "model.safetensors") for name in ("plain", "compiled"))
    assert plain.keys() == compiled.keys()
    for name, weights in plain.items():
        # Weights are written in 16 bits.
        assert torch.allclose(weights.float(), compiled[name].float(), atol=2e-3), name


def test_the_gate_refuses_a_policy_that_has_learned_nothing(trained: Path) -> None:
    with pytest.raises(MisstepError, match="nothing was written"):
        training.check_gate(trained, problems=2, samples=1)


def test_a_reader_that_knows_no_sums_is_refused(trained: Path) -> None:
    with pytest.raises(MisstepError, match=r"of the results of drills are right, expected 0\.95"):
        training.check_reader(trained, pages=1)


def test_a_larger_reader_is_judged_in_its_own_shape(tmp_path: Path) -> None:
    training.train(1, tmp_path, 0, 64, 3, tokens=1024, rate=3e-3, resume=None, course="careful")
    with pytest.raises(MisstepError, match="of the results of drills are right"):
        training.check_reader(tmp_path, pages=1)


def test_a_model_with_copies_of_its_layers_says_what_it_said_and_learns_in_all_of_them(trained: Path) -> None:
    model = LlamaForCausalLM.from_pretrained(trained, dtype=torch.float32)
    grown = taller(model, 3)
    ids = torch.randint(60, (2, 9))
    assert len(grown.model.layers) == 3
    assert torch.equal(grown(input_ids=ids).logits, model(input_ids=ids).logits)
    grown(input_ids=ids).logits.square().sum().backward()
    assert all(layer.self_attn.o_proj.weight.grad.abs().sum() > 0 for layer in grown.model.layers)
    assert all(layer.mlp.down_proj.weight.grad.abs().sum() > 0 for layer in grown.model.layers)


def test_each_layer_is_followed_by_its_own_copies() -> None:
    model = LlamaForCausalLM(training.configuration(68, 32, 2))
    grown = taller(model, 4)
    for place, layer in enumerate(grown.model.layers):
        source = model.model.layers[place // 2].self_attn
        assert torch.equal(layer.self_attn.q_proj.weight, source.q_proj.weight)
        copied = torch.equal(layer.self_attn.o_proj.weight, source.o_proj.weight)
        assert copied == (place % 2 == 0)


@pytest.mark.parametrize("layers", [1, 3])
def test_layers_that_are_no_multiple_are_refused(layers: int) -> None:
    with pytest.raises(MisstepError, match=f"{layers} layers from a model of 2, expected a multiple"):
        taller(LlamaForCausalLM(training.configuration(68, 32, 2)), layers)


def test_training_goes_on_with_more_layers_and_refuses_another_width(trained: Path, tmp_path: Path) -> None:
    training.train(1, tmp_path / "two", 1, hidden=32, layers=2, tokens=1024, rate=1e-3, resume=trained)
    assert load_pocket_policy(tmp_path / "two").name != load_pocket_policy(trained).name
    for hidden in (64, 16):
        with pytest.raises(MisstepError, match=f"--hidden {hidden} with --resume .*, expected its width 32"):
            training.train(1, tmp_path / "no", 1, hidden, layers=1, tokens=9, rate=0.0, resume=trained)


def test_a_result_is_right_when_every_one_of_its_tokens_would_have_been_written() -> None:
    tokens = [0, 1, 2, 3, 4, 5]
    lesson = Lesson(tokens, [False, True, True, False, True, False])

    class Foretold(torch.nn.Module):
        """Expects after each place what it is told."""

        def __init__(self, expected: list[int]) -> None:
            super().__init__()
            self.logits = torch.nn.functional.one_hot(torch.tensor([expected]), 6).float()

        def forward(self, input_ids: torch.Tensor, use_cache: bool) -> Foretold:
            return self

    assert training._results_right(Foretold([1, 2, 0, 4, 0, 0]), lesson) == [True, True]
    assert training._results_right(Foretold([1, 5, 0, 4, 0, 0]), lesson) == [False, True]
    assert training._results_right(Foretold([1, 2, 0, 0, 0, 0]), lesson) == [True, False]


@pytest.mark.parametrize("name", ["pocket-reader", "pocket-tall-reader"])
def test_the_shipped_readers_pass_their_gate(name: str) -> None:
    folder = shipped_folder(name)
    assert folder is not None
    assert training.check_reader(folder, pages=10) >= training.LEAST_RIGHT


def test_the_rate_warms_up_stays_and_falls_to_nothing() -> None:
    rates = [training.rate_at(step, 3000) for step in (0, 99, 900, 2000, 2999)]
    assert rates == pytest.approx([0.01, 1.0, 1.0, 0.5, 0.0005])
