"""Train the pocket policy from nothing: `python -m ml.pocket.training --steps N --out DIR`.

Training stops at a number of steps, not of seconds, so that a slow machine makes the same policy as a fast one.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from ml.pocket.lessons import LONGEST_LESSON, Lesson, lessons
from ml.pocket.tokenizer import PAD, build_tokenizer

NOT_LEARNED = -100


def configuration(vocabulary: int, hidden: int, layers: int) -> LlamaConfig:
    """The policy's shape; every number that the loader needs is in here."""
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=hidden * 8 // 3 // 32 * 32,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        max_position_embeddings=2 * LONGEST_LESSON,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        attn_implementation="sdpa",
    )


def batches(tokenizer: Tokenizer, seed: int, tokens: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of about `tokens` tokens of lessons of like length: ids and targets, both [batch, length]."""
    stream = lessons(tokenizer, seed)
    order = torch.Generator().manual_seed(seed)
    padding = tokenizer.token_to_id(PAD)
    while True:
        pool = sorted((next(stream) for _ in range(600)), key=lambda lesson: len(lesson.tokens))
        groups: list[list[Lesson]] = [[]]
        for lesson in pool:
            if groups[-1] and (len(groups[-1]) + 1) * len(lesson.tokens) > tokens:
                groups.append([])
            groups[-1].append(lesson)
        for index in torch.randperm(len(groups), generator=order).tolist():
            yield _batch(groups[index], padding)


def _batch(group: list[Lesson], padding: int) -> tuple[torch.Tensor, torch.Tensor]:
    length = max(len(lesson.tokens) for lesson in group)
    ids = torch.full((len(group), length), padding)
    targets = torch.full((len(group), length), NOT_LEARNED)
    for row, lesson in enumerate(group):
        ids[row, : len(lesson.tokens)] = torch.tensor(lesson.tokens)
        learned = [t if flag else NOT_LEARNED for t, flag in zip(lesson.tokens, lesson.learned, strict=True)]
        targets[row, : len(learned)] = torch.tensor(learned)
    return ids, targets


def optimizers(model: torch.nn.Module, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the inner matrices (it needs about half of AdamW's steps here), AdamW for the rest."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    inner = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in inner]
    return [
        torch.optim.Muon(matrices, lr=rate, weight_decay=0.01, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def rate_at(step: int, steps: int) -> float:
    """The learning rate's factor: a short warm-up, a plateau, then down to nothing over the last 40 %."""
    return min(1.0, (step + 1) / 100, max(0.0, (steps - step) / (0.4 * steps)))


def save(model: LlamaForCausalLM, tokenizer: Tokenizer, out: Path) -> None:
    """Write weights (16 bit), configuration and tokenizer; a half-written folder never bears the name."""
    out.mkdir(parents=True, exist_ok=True)
    weights = {n: p.detach().to(torch.float16).contiguous() for n, p in model.named_parameters()}
    save_file(weights, out / "model.safetensors.partial", metadata={"format": "pt"})
    os.replace(out / "model.safetensors.partial", out / "model.safetensors")
    model.config.to_json_file(out / "config.json")
    tokenizer.save(str(out / "tokenizer.json"))


def train(
    steps: int, out: Path, seed: int, hidden: int, layers: int, tokens: int, rate: float, resume: Path | None
) -> None:
    torch.manual_seed(seed)
    tokenizer = build_tokenizer()
    model = LlamaForCausalLM(configuration(tokenizer.get_vocab_size(), hidden, layers))
    if resume is not None:
        model.load_state_dict(load_file(resume / "model.safetensors"), strict=False)
    print(sum(p.numel() for p in model.parameters()), "parameters", flush=True)
    chosen = optimizers(model, rate)
    stream = batches(tokenizer, seed, tokens)
    started, seen, recent = time.monotonic(), 0, []
    for step in range(steps):
        for optimizer in chosen:
            for group in optimizer.param_groups:
                group["lr"] = rate * rate_at(step, steps)
        ids, targets = next(stream)
        # A third faster on processors with 16-bit matrix units; the weights themselves stay at 32 bits.
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(
            logits.float().reshape(-1, logits.shape[-1]), targets[:, 1:].reshape(-1), ignore_index=NOT_LEARNED
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in chosen:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        seen += ids.numel()
        recent.append(loss.item())
        if (step + 1) % 50 == 0:
            spent = time.monotonic() - started
            print(
                json.dumps(
                    {
                        "step": step + 1,
                        "loss": round(sum(recent) / len(recent), 4),
                        "seconds": round(spent),
                        "tokens": seen,
                        "per_second": round(seen / spent),
                    }
                ),
                flush=True,
            )
            recent = []
        if (step + 1) % 250 == 0:
            save(model, tokenizer, out)
    save(model, tokenizer, out)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--rate", type=float, default=3e-3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    train(**vars(arguments))


if __name__ == "__main__":
    main()
