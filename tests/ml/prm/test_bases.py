"""What training starts from: the policy's weights for its own family, a small model for any other text."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, GPT2Config, GPT2Model, Qwen2Config

from ml.errors import MisstepError
from ml.pocket.policy import load_pocket_policy
from ml.policies import load_policy
from ml.prm.bases import HeadSettings, open_base, shipped_folder
from ml.prm.checkpoint import seal
from ml.prm.loading import load
from ml.prm.model import ProcessRewardModel, build, small_config
from ml.prm.packing import chain, pack

POCKET = [
    "((1 + 2) - (3 * 4)) =",
    'This equation can be written as "A - B", where A = (1 + 2) and B = (3 * 4).',
]


def opened(
    name="pocket",
    texts=POCKET,
    from_scratch=False,
    maximum_length=None,
    seed=0,
    extra_layers=None,
    targets=(),
):
    head = HeadSettings(2, targets)
    return open_base(name, texts, head, seed, maximum_length, from_scratch, extra_layers)


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("pocket", "pocket policy"),
        ("pocket-reader", "pocket reader"),
        ("pocket-tall-reader", "tall pocket reader"),
    ],
)
def test_a_pocket_model_starts_from_the_weights_that_are_shipped(name, weights):
    base = opened(name)
    assert (base.origin["name"], base.origin["weights"]) == (name, weights)
    shipped = load_file(shipped_folder(name) / "model.safetensors")
    layer = "model.layers.0.self_attn.q_proj.weight"
    assert torch.equal(base.model.state_dict()[layer], shipped[layer].float())


def test_the_pocket_model_reads_steps_as_its_policy_wrote_them():
    base = opened()
    nodes, _ = base.tokenizer.solution("a", POCKET[0], [POCKET[1]])
    words = base.tokenizer.tokenizer.convert_ids_to_tokens(nodes[0]), nodes[1]
    assert words[0][0] == "<begin>" and words[0][-1] == "<prose>"
    assert base.tokenizer.tokenizer.convert_ids_to_tokens(nodes[1])[-1] == "<step>"
    logits = ProcessRewardModel(base.model)(pack([chain(nodes)], [[1]]))
    assert logits.shape == (1, 2) and bool(torch.isfinite(logits).all())


def test_a_pocket_model_numbers_words_as_its_policy_does():
    prose = "A = (1), B = (2), and C = 3 and D. Let's calculate Then, the final equation is So the answer is "
    ours = opened().tokenizer.tokenizer.encode(prose, add_special_tokens=False)
    assert ours == load_pocket_policy().tokenizer.encode(prose).ids


def test_from_scratch_draws_weights_from_the_seed():
    one, again, other = (opened(from_scratch=True, seed=seed) for seed in (1, 1, 2))
    assert one.origin["weights"] == "random"
    first = [base.model.state_dict()["model.embed_tokens.weight"] for base in (one, again, other)]
    assert torch.equal(first[0], first[1]) and not torch.equal(first[0], first[2])


PROSE = [
    "The mill’s wheel turns 16 times a minute.",
    "It grinds the remaining grain for $2 per full sack of flour.",
]


def test_text_that_the_pocket_family_cannot_say_gets_a_tokenizer_of_its_own_and_a_remark():
    base = opened(texts=PROSE)
    assert base.origin == {"name": "small", "weights": "random", "instead_of": "pocket"}
    assert "The mill’s wheel" in base.remark and "training starts from --base small" in base.remark
    assert base.tokenizer.unknown_share(["何か else, entirely: ∑"]) == 0.0
    assert opened().remark == opened("small", texts=PROSE).remark == ""


def numbered(texts, count):
    return [f"{text} {number}" for number in range(count) for text in texts]


def test_texts_that_only_begin_with_the_pocket_familys_get_a_tokenizer_of_their_own():
    base = opened(texts=[*numbered(POCKET, 150), *numbered(PROSE, 150)])
    assert base.origin["instead_of"] == "pocket"
    # Even where an even sample meets none of them.
    few = [*numbered(POCKET, 150), "何か else, entirely: ∑ and more of it " * 40]
    assert opened(texts=few).origin["instead_of"] == "pocket"


def test_the_origin_says_how_many_tokens_the_pocket_family_cannot_say():
    assert opened().origin["unknown_tokens"] == 0.0
    assert 0.0 < opened(texts=[*numbered(POCKET, 150), "ducks"]).origin["unknown_tokens"] < 0.02


@pytest.mark.parametrize("from_scratch", [False, True])
def test_a_reader_of_pocket_problems_is_never_another_model_for_other_texts(from_scratch):
    with pytest.raises(MisstepError, match=r"not 'The mill’s wheel .*', expected --base small"):
        opened("pocket-reader", texts=[*POCKET, *PROSE], from_scratch=from_scratch)


def test_layers_on_what_stands_in_for_a_base_are_refused():
    with pytest.raises(MisstepError, match="because pocket cannot read these texts"):
        opened("pocket", PROSE, extra_layers=1)


def test_a_base_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(MisstepError, match="is no folder"):
        opened(str(tmp_path / "nowhere"))
    with pytest.raises(MisstepError, match="expected a transformers model in safetensors"):
        opened(str(tmp_path))
    (tmp_path / "adapter_config.json").touch()
    for opening in (opened, load_policy):
        with pytest.raises(MisstepError, match="is an adapter without its base"):
            opening(str(tmp_path))


def checkpoint_like(folder, **said):
    """A folder as training a classifier leaves it: a linear head, and a card that says what it was trained for."""
    torch.manual_seed(7)
    config = small_config(2048, 2, hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
    build(config).save_pretrained(folder)
    opened("small").tokenizer.save(folder)
    card = {"format": "misstep-checkpoint", "objective": "classifier", "outputs": 2, "head": "linear"}
    (folder / "card.json").write_text(json.dumps({**card, **said}))
    seal(folder)
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize(
    ("objective", "outputs", "goes_on"),
    [("classifier", 2, True), ("outcome", 2, False), ("classifier", 3, False), ("value", 1, False)],
)
def test_a_checkpoint_lends_its_head_to_the_same_objective_alone(tmp_path, objective, outputs, goes_on):
    saved = checkpoint_like(tmp_path)
    head = HeadSettings(outputs, objective=objective)
    base, again = (open_base(str(tmp_path), POCKET, head, 0, None, False) for _ in range(2))
    weight = base.model.score.weight
    assert weight.shape == (outputs, 32) and torch.equal(weight, again.model.score.weight)
    assert (outputs == 2 and torch.equal(weight, saved["score.weight"])) == goes_on
    assert base.origin.get("goes_on_with_head", False) == goes_on and bool(base.remark) != goes_on
    layer = "model.layers.0.self_attn.q_proj.weight"
    assert torch.equal(base.model.state_dict()[layer], saved[layer])


def test_a_checkpoint_of_which_something_was_changed_or_is_missing_is_no_base(tmp_path):
    checkpoint_like(tmp_path)
    opened(str(tmp_path))
    layout = (tmp_path / "steps.json").read_text()
    (tmp_path / "steps.json").write_text(layout + "\n")
    with pytest.raises(
        MisstepError, match=r"files differ from manifest\.json, expected the checkpoint as written"
    ):
        opened(str(tmp_path))
    (tmp_path / "steps.json").write_text(layout)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(
        MisstepError, match=r"files differ from manifest\.json, expected the checkpoint as written"
    ):
        opened(str(tmp_path))


def test_a_head_of_unknown_origin_is_not_gone_on_with(tmp_path):
    saved = checkpoint_like(tmp_path)
    for card in (None, "no JSON", "[1]"):
        (tmp_path / "card.json").unlink(missing_ok=True)
        if card:
            (tmp_path / "card.json").write_text(card)
        base = opened(str(tmp_path))
        assert not torch.equal(base.model.score.weight, saved["score.weight"])
        assert "holds a trained head (score.bias, score.weight), which is left out" in base.remark


def test_a_folder_whose_weights_are_torn_or_of_another_size_is_refused(tmp_path):
    checkpoint_like(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "intermediate_size": 16}))
    for outputs in (2, None):
        with pytest.raises(MisstepError, match="expected a transformers model in safetensors"):
            load(tmp_path, outputs)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(MisstepError, match="expected a transformers model in safetensors"):
        load(tmp_path, 2)


def test_weights_that_unpickling_would_open_are_no_base(tmp_path):
    tensors = checkpoint_like(tmp_path)
    for name in ("model.safetensors", "card.json", "manifest.json"):
        (tmp_path / name).unlink()
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    with pytest.raises(MisstepError, match=r"expected a transformers model in safetensors"):
        opened(str(tmp_path))


def test_a_checkpoint_without_a_language_models_head_is_not_read_by_one(tmp_path):
    checkpoint_like(tmp_path)
    with pytest.raises(MisstepError, match=r"has no lm_head.weight, expected a whole language model"):
        opened(str(tmp_path), targets=("-", "+"))


def test_layers_on_top_begin_as_the_identity_and_are_trained():
    plain, deeper = opened(extra_layers=0), opened(extra_layers=2)
    assert deeper.origin["extra_layers"] == 2 and "extra_layers" not in plain.origin
    assert deeper.model.config.num_hidden_layers == plain.model.config.num_hidden_layers + 2
    nodes, _ = plain.tokenizer.solution("a", POCKET[0], [POCKET[1]])
    packed = pack([chain(nodes)], [[0, 1]])
    deeper.model.score.load_state_dict(plain.model.score.state_dict())
    logits = ProcessRewardModel(deeper.model)(packed)
    assert torch.allclose(logits, ProcessRewardModel(plain.model)(packed), atol=1e-5)
    logits.square().sum().backward()
    assert bool(deeper.model.model.layers[-1].mlp.down_proj.weight.grad.any())


def test_layers_on_top_of_a_family_that_is_not_stacked_like_llama_are_refused(tmp_path):
    GPT2Model(GPT2Config(vocab_size=300, n_embd=16, n_layer=1, n_head=2)).save_pretrained(tmp_path)
    opened().tokenizer.save(tmp_path)
    with pytest.raises(MisstepError, match="layers on top of a GPT2Model"):
        opened(str(tmp_path), extra_layers=1)


def test_a_language_models_own_head_is_read_where_the_target_tokens_stand():
    base = opened(targets=("-", "+"))
    shipped = load_file(shipped_folder() / "model.safetensors")
    kept = base.model.get_output_embeddings().weight
    name = "lm_head.weight" if "lm_head.weight" in shipped else "model.embed_tokens.weight"
    assert torch.equal(kept, shipped[name].float())
    words = base.tokenizer.tokenizer.convert_ids_to_tokens(base.tokenizer.target_ids)
    assert words == ["-", "+"]


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (("-", "right or not"), "'right or not' has tokens .*, expected a single token"),
        (("-", "∑"), "'∑' has tokens .*, expected a single token"),
        (("+", "+"), "expected a different token for each"),
        (("-", "+", "0"), "3 target tokens for 2 classes, expected one for each"),
    ],
)
def test_target_tokens_that_cannot_serve_are_refused(targets, message):
    with pytest.raises(MisstepError, match=message):
        _ = opened(targets=targets).tokenizer.target_ids


def test_a_base_that_changes_its_logits_after_the_head_is_refused(tmp_path):
    model = opened("small", targets=("-", "+")).model
    model.config.logits_scaling = 8.0
    model.save_pretrained(tmp_path)
    with pytest.raises(MisstepError, match="sets logits_scaling, expected one with a plain head"):
        load(tmp_path, has_language_head=True)


@pytest.mark.parametrize(("layers", "context"), [(["sliding_attention"], 64), (["full_attention"], 2048)])
def test_a_path_has_no_more_tokens_than_a_window_that_the_base_looks_through(tmp_path, layers, context):
    config = Qwen2Config(
        vocab_size=2048, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=2048, use_sliding_window=True, sliding_window=64,
        layer_types=layers,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    opened("small").tokenizer.save(tmp_path)
    assert opened(str(tmp_path)).tokenizer.layout.maximum_length == context
    if context == 64:
        with pytest.raises(MisstepError, match="--maximum-length 65, expected at most the base's 64"):
            opened(str(tmp_path), maximum_length=65)
