"""Whether a base can be read as it is going to be: a few random tokens, against plain forwards of the same model.

Packing holds for attention that goes through transformers' interface and is no more than softmax over the keys that
it is handed. Layers with a state that runs along the row (convolutions, linear attention, state spaces) would carry it
from one solution into the next, attention with sinks or biases of its own would lose them, and a model that changes
its logits behind the head would be read without the change. None of it fails by itself: the scores are just wrong.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel

from ml.errors import MisstepError
from ml.prm.loading import BY_ITSELF
from ml.prm.model import ProcessRewardModel
from ml.prm.packing import BLOCK_DEVICES, TokenTree, pack, split_into_tokens
from ml.prm.tokenization import StepTokenizer

# Of the largest entry. Float32 stays below a tenth of it, and what is lost or leaks is far above.
TOLERANCE = 1e-4
# Two short texts, so that a state that runs on meets the second's beginning: a chain, and a tree with siblings.
SHAPES = (([9, 4, 5], [-1, 0, 1]), ([6, 5, 4, 3], [-1, 0, 0, 2]))
# Draws of tokens: a router between experts may change its mind over the last bit, but hardly twice.
DRAWS = 2
WORDS_READ = 16
# What configs call the share of attention that is dropped in training.
DROPOUTS = ("attention_dropout", "attn_pdrop", "attention_probs_dropout_prob")
# What configs call attention to a part of a long path. The few tokens that are read here lie in one chunk, and all of
# them are chosen.
PARTIAL = ("attention_chunk_size", "index_topk", "index_topk_blocks")


def refuse_attention_dropout(model: PreTrainedModel, device: str) -> None:
    """Raises MisstepError where attention would be dropped in training and the device's kernel cannot: before any text
    is tokenised, since no reading shows it."""
    drops = [float(getattr(model.config, name, None) or 0.0) for name in DROPOUTS]
    if torch.device(device).type in BLOCK_DEVICES and any(drops):
        raise MisstepError(
            f"this base drops {max(drops)} of its attention, expected 0 in its config on a GPU, or --device cpu"
        )


@torch.no_grad()
def refuse_wrong_readings(model: ProcessRewardModel) -> None:
    """Raises MisstepError, which names the model and by how much it is off, where packed rows are not read as each
    path by itself would be, or where the head's readings are not the logits of the model itself."""
    _refuse_partial_attention(model)
    was_training = model.training
    model.eval()
    try:
        with _whole_products():
            differences = [0.0]
            for seed in range(DRAWS):
                differences = list(_differences(model, seed))
                if max(differences) <= TOLERANCE:
                    return
        _refuse(model, *differences)
    finally:
        model.train(was_training)


@contextmanager
def _whole_products() -> Iterator[None]:
    """Products of float32 as they are for a while. Some containers round their factors to TensorFloat-32, to ten bits:
    a sound base is then further off than the tolerance, since each way of reading it rounds other sums."""
    products = torch.backends.cuda.matmul
    allowed = products.allow_tf32
    products.allow_tf32 = False
    try:
        yield
    finally:
        products.allow_tf32 = allowed


def _refuse_partial_attention(model: ProcessRewardModel) -> None:
    config = model.plain.config.get_text_config()
    for name in PARTIAL if model.is_packed else ():
        if found := getattr(config, name, None):
            raise MisstepError(
                f"{type(model.plain).__name__} attends to a part of a long path ({name} {found}), {BY_ITSELF}"
            )


def _refuse(model: ProcessRewardModel, inside: float, outside: float) -> None:
    name = type(model.plain).__name__
    if inside > TOLERANCE and not model.is_packed:
        raise MisstepError(f"{name} reads a token by what follows it, expected a causal base")
    if inside > TOLERANCE:
        raise MisstepError(
            f"{name} reads packed rows otherwise than each solution by itself (by {inside:.1g} of the largest entry):"
            f" its layers do more than attention by plan, {BY_ITSELF}"
        )
    raise MisstepError(
        f"{name} changes its logits behind the head (by {outside:.1g} of the largest), expected a base with a plain"
        " head, or --head linear"
    )


def _differences(model: ProcessRewardModel, seed: int) -> Iterator[float]:
    """How far hidden states and readings are from the plain model's, as shares of its largest."""
    plain = model.plain
    generator = random.Random(seed)
    trees = [_random_tree(generator, plain.config.get_text_config().vocab_size, *shape) for shape in SHAPES]
    reader = _reader(model, generator)
    reads, device = [range(len(tree.tokens)) for tree in trees], next(model.parameters()).device
    # In calls on a GPU, too, where the kernel over blocks would first have to be compiled.
    packed = pack(trees, reads, device=device, in_blocks=False)
    try:
        hidden = reader.hidden_read(packed).index_select(0, packed.order)
        with _plain_attention(model):
            alone = [_by_itself(reader, tree) for tree in trees]
    except (MisstepError, RuntimeError, TypeError, AttributeError, LookupError, ValueError) as error:
        said = (str(error) or type(error).__name__).splitlines()[0].partition(", expected")[0]
        expected = BY_ITSELF if model.is_packed else "expected another base"
        raise MisstepError(f"{type(plain).__name__} cannot be read here ({said}), {expected}") from error
    for ours, theirs in (
        (hidden, torch.cat([hidden for hidden, _ in alone])),
        (reader.read_out(hidden), torch.cat([logits for _, logits in alone])),
    ):
        off = float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-12))
        if not math.isfinite(off):
            raise MisstepError(f"{type(plain).__name__} says {off} of a few tokens, expected another base")
        yield off


def _random_tree(
    generator: random.Random, vocabulary: int, lengths: list[int], parents: list[int]
) -> TokenTree:
    """A tree whose nodes are single tokens, so that each is read."""
    tokens = [[generator.randrange(vocabulary) for _ in range(length)] for length in lengths]
    return split_into_tokens(TokenTree(tokens, parents))


def _reader(model: ProcessRewardModel, generator: random.Random) -> ProcessRewardModel:
    """The model, read at a few words where each step's own tokens would be."""
    if model.tolerance is None:
        return model
    rows = model.plain.get_output_embeddings().weight.shape[0]
    words = [generator.randrange(rows) for _ in range(WORDS_READ)]
    return ProcessRewardModel(model.model, words, is_packed=model.is_packed).eval()


@contextmanager
def _plain_attention(model: ProcessRewardModel) -> Iterator[None]:
    """The model's own attention for a while; an unpacked one has it already."""
    plain = model.plain
    ours = plain.config._attn_implementation
    if model.is_packed:
        plain.set_attn_implementation("eager")
    try:
        yield
    finally:
        if model.is_packed:
            plain.set_attn_implementation(ours)


def _by_itself(reader: ProcessRewardModel, tree: TokenTree) -> tuple[torch.Tensor, torch.Tensor]:
    """Hidden states [nodes, hidden] and logits [nodes, outputs] of the tree's tokens, each path in a forward of its
    own."""
    plain = reader.plain
    hidden: dict[int, torch.Tensor] = {}
    logits: dict[int, torch.Tensor] = {}
    for path in tree.paths():
        ids = torch.tensor([[tree.tokens[node][0] for node in path]], device=plain.device)
        states = plain.base_model(input_ids=ids, use_cache=False).last_hidden_state[0]
        said = plain(input_ids=ids, use_cache=False).logits[0]
        hidden |= dict(zip(path, states, strict=True))
        logits |= dict(zip(path, said[:, reader.target_ids] if reader.target_ids else said, strict=True))
    nodes = range(len(tree.parents))
    return torch.stack([hidden[node] for node in nodes]), torch.stack([logits[node] for node in nodes])


def knows_all_tokens(model: Any, tokenizer: StepTokenizer) -> bool:
    """Whether each token has an embedding, as in most bases: then no text has to be looked at for one without."""
    rows: int = model.get_input_embeddings().weight.shape[0]
    return rows > max(tokenizer.tokenizer.get_vocab().values())


def refuse_unknown_tokens(model: Any, targets: Sequence[int], nodes: Iterable[Sequence[int]]) -> None:
    """Raises MisstepError for a token beyond the model's embeddings: one that was added to the tokenizer alone."""
    rows = model.get_input_embeddings().weight.shape[0]
    last = max((*targets, max(map(max, nodes), default=0)))
    if last >= rows:
        raise MisstepError(
            f"token {last} of the tokenizer with {rows} embeddings, expected a base with one for each: add the tokens"
            " with model.resize_token_embeddings(len(tokenizer)) and save both"
        )
