"""Split weights: what a process holds of the whole while it trains, saves, goes on and ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from torch import distributed
from torch.distributed.fsdp import FSDPModule
from transformers import AutoModelForCausalLM, GPT2Config

from ml.prm import checkpoint, resuming
from ml.prm.distributed import Group
from ml.prm.model import ProcessRewardModel, build, small_config, with_lora
from ml.prm.packing import chain, pack
from ml.prm.sharding import _without_weights, assembled, in_step, shard, whole
from ml.prm.train import TrainingSettings, train
from tests.ml.prm.foreign import config_of
from tests.ml.prm.processes import as_group_of_two, ended
from tests.ml.prm.toys import examples_of, forget_last_state, sums, tiny_model, tokenizer

STEPS = tokenizer()
# Two processes have unequal parts of the embeddings.
WORDS = len(STEPS.tokenizer) | 1


def test_only_the_first_process_ever_holds_the_whole_and_each_goes_on_from_its_own_part(tmp_path):
    processes = as_group_of_two("tests.ml.prm.test_sharding", STATES=str(tmp_path))
    found = [ended(process) for process in processes]
    assert [status for status, _ in found] == [0, 0], found


def test_what_a_base_keeps_beside_its_weights_is_in_the_whole_model_again():
    torch.manual_seed(0)
    model = ProcessRewardModel(AutoModelForCausalLM.from_config(config_of("glm4_moe", WORDS)), [1, 2])
    biases = {name: b for name, b in model.named_buffers() if name.endswith("e_score_correction_bias")}
    for bias in biases.values():
        bias.copy_(torch.tensor([0.5, -0.5, 0.2, 0.0]))
    found = assembled(_without_weights(model), model, Group())
    assert biases and not any(b.is_meta for b in found.buffers())
    assert found.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(found.state_dict()[name], bias) for name, bias in biases.items())


def split_model(group):
    model = tiny_model(WORDS)
    size = sum(p.numel() for p in model.parameters())
    skeleton = shard(model, "cpu")
    group.is_sharded = True
    assert all(p.is_meta for p in skeleton.parameters())
    assert sum(p.to_local().numel() for p in model.parameters()) < 0.6 * size
    return skeleton, model


def own_parts(model):
    return [p.detach().to_local().clone() for p in model.parameters()]


def trained(group, folder):
    skeleton, model = split_model(group)
    examples = examples_of("classifier", sums(12), STEPS)
    settings = TrainingSettings("classifier", 4, batch_size=6, tokens_per_row=100, save_every=3)
    train(model, examples, settings, folder, group=group)
    return skeleton, model


def layers_of_another_family_are_split_one_by_one() -> None:
    torch.manual_seed(0)
    config = GPT2Config(
        n_embd=32, n_layer=2, n_head=2, vocab_size=WORDS, bos_token_id=None, eos_token_id=None
    )
    model = ProcessRewardModel(build(config)).eval()
    row = pack([chain([[1], [2, 3]])], [[1]])
    expected = model(row)
    expected.sum().backward()
    slopes = {name: p.grad for name, p in model.named_parameters()}
    model.zero_grad()
    shard(model, "cpu")
    assert all(isinstance(layer, FSDPModule) for layer in model.plain.transformer.h)
    found = model(row)
    found.sum().backward()
    assert torch.allclose(found, expected, atol=1e-6)
    # Both processes read the same row.
    for name, parameter in model.named_parameters():
        assert torch.allclose(whole(parameter.grad), 2 * slopes[name], atol=1e-5)


def slopes_in_half(model: ProcessRewardModel) -> tuple[dict[str, torch.Tensor], int]:
    """The gradients of a pass under autocast, and the bytes of narrow matrices that wait for the way back."""
    row = pack([chain([[1], [2, 3] * 20, [4, 5]])], [[1, 2]])
    sizes = {tuple(p.shape) for p in model.parameters() if p.dim() == 2}
    kept = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.dtype == torch.bfloat16 and {tuple(tensor.shape), tuple(tensor.shape[::-1])} & sizes:
            kept[tensor.untyped_storage()._cdata] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        with torch.autocast("cpu", torch.bfloat16):
            outputs = model(row)
        held = sum(storage.nbytes() for storage in kept.values())
    outputs.square().sum().backward()
    return {name: whole(p.grad) for name, p in model.named_parameters() if p.grad is not None}, held


def a_pass_in_bfloat16_keeps_no_copy_of_what_it_gathered() -> None:
    config = small_config(WORDS, 2, hidden_size=32, num_hidden_layers=6, num_attention_heads=2)
    for adapted in (False, True):
        slopes, held = [], []
        for is_split in (False, True):
            torch.manual_seed(0)
            base = build(config)
            model = ProcessRewardModel(with_lora(base, 4, seed=0) if adapted else base).eval()
            if is_split:
                shard(model, "cpu", bfloat16=True)
            found = slopes_in_half(model)
            slopes.append(found[0])
            held.append(found[1])
        # Of six layers the last one, which stands in the outermost group.
        assert held[1] < held[0] / 4
        for name, slope in slopes[0].items():
            assert slopes[1][name].dtype == torch.float32
            # Both processes read the same row.
            assert (slopes[1][name] / 2 - slope).norm() < 0.02 * slope.norm() + 1e-6, name


def in_group(folder: Path) -> None:
    """What each of the two processes does."""
    group = Group.from_environment("cpu")
    saved, verified = [], []
    tensors, sha256_of = resuming._tensors, checkpoint.sha256_of
    resuming._tensors = lambda *given: saved.append(tensors(*given)) or saved[-1]
    skeleton, model = trained(group, folder)
    assert all(bool(found) == group.is_first for found in saved) and len(saved) == 2
    in_the_end = own_parts(model)

    if group.is_first:
        forget_last_state(folder)
    group.told(None)
    checkpoint.sha256_of = lambda path: verified.append(path.name) or sha256_of(path)
    _, again = trained(group, folder)
    assert all(map(torch.equal, in_the_end, own_parts(again)))
    # The first process verifies what it read and seals what it wrote.
    assert verified.count("state.safetensors") == 2 * group.is_first

    weights = {name: whole(tensor) for name, tensor in model.state_dict().items()}
    found = assembled(skeleton, model, group)
    assert all(p.is_meta != group.is_first for p in found.parameters())
    if group.is_first:
        assert all(torch.equal(weights[name], tensor) for name, tensor in found.state_dict().items())

    layers_of_another_family_are_split_one_by_one()
    a_pass_in_bfloat16_keeps_no_copy_of_what_it_gathered()

    passes, row = [], pack([chain([[1], [2]])], [[1]])
    with torch.inference_mode(), in_step(model, group, lambda: passes.append(model(row))):
        for _ in range(3 if group.is_first else 1):
            passes.append(model(row))
    assert len(passes) == 3


if __name__ == "__main__":
    in_group(Path(os.environ["STATES"]))
    sys.stdout.flush()
    distributed.destroy_process_group()
