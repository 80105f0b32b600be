"""A small language model for mathematics prose, trained on the spot: the base that no download gives here.

Byte-pair tokens are learned from the given texts, and a Llama of a million parameters reads them for one pass
or a part of one. It is what a pretrained base is to a team with a download, and a thousandth of the size.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from ml.prm.model import small_config
from ml.prm.tokenization import Layout, StepTokenizer, learned_tokenizer
from ml.prm.train import TrainingSettings, learning_rate_at

ROW, ROWS = 256, 16


def make_base(folder: Path, texts: Sequence[str], updates: int) -> dict[str, float]:
    """Learn the tokens, read `updates` batches of 16 rows of 256 tokens, save; returns what it took."""
    started = time.process_time()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    tokenizer = StepTokenizer(learned_tokenizer(texts), Layout())
    model = AutoModelForCausalLM.from_config(small_config(len(tokenizer.tokenizer), 2))
    tokens = torch.tensor([token for text in texts for token in tokenizer.step(text)])
    rows = tokens[: len(tokens) // ROW * ROW].view(-1, ROW)
    order = torch.randperm(len(rows))
    settings = TrainingSettings("", max(updates, 1), learning_rate=2e-3)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    loss = torch.zeros(())
    for step in range(updates):
        batch = rows[order[torch.arange(step * ROWS, (step + 1) * ROWS) % len(rows)]]
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(step, settings)
        logits = model(input_ids=batch).logits[:, :-1]
        loss = cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    model.save_pretrained(str(folder))
    tokenizer.save(folder)
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "text_tokens": len(tokens),
        "tokens_read": updates * ROWS * ROW,
        "last_loss": float(loss.detach()),
        "processor_seconds": time.process_time() - started,
    }
