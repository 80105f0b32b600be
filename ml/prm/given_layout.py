"""Process reward models that others trained: a bare transformers folder, and a small JSON file that says how it reads.

The file's keys, of which `separator` alone is needed:

separator: what ends each step; the score is read at its last token. problem_start, problem_end, step_start: what stands
around the problem and before each step. target_tokens: the words for wrong and right, in this order, where a causal
language model's own head is read; else the folder is a token classifier. positive: which of its two classes is right.
maximum_length: the context in tokens. unpacked: each solution by itself (see `ml.prm.one_by_one`).

Only safetensors are read, and no code that a folder brings along is run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ml.errors import MisstepError
from ml.prm.loading import context_of, load
from ml.prm.model import head_of
from ml.prm.self_check import refuse_unknown_tokens
from ml.prm.tokenization import Layout, StepTokenizer, load_step_tokenizer


@dataclass(frozen=True)
class GivenLayout:
    """What the file says; see above."""

    separator: str
    problem_start: str = ""
    problem_end: str = ""
    step_start: str = ""
    target_tokens: Sequence[str] = ()
    positive: int = 1
    maximum_length: int | None = None
    unpacked: bool = False

    def __post_init__(self) -> None:
        texts = (self.separator, self.problem_start, self.problem_end, self.step_start, *self.target_tokens)
        if not all(isinstance(text, str) for text in texts):
            raise MisstepError(f"{list(texts)}, expected texts")
        if self.positive not in (0, 1):
            raise MisstepError(f"positive {self.positive!r}, expected 0 or 1")
        if len(self.target_tokens) not in (0, 2) or isinstance(self.target_tokens, str):
            raise MisstepError(
                f"target_tokens {self.target_tokens!r}, expected two: what stands for wrong, then for right"
            )
        length = self.maximum_length
        if length is not None and (not isinstance(length, int) or length < 1):
            raise MisstepError(f"maximum_length {length!r}, expected at least 1")


class GivenTokenizer(StepTokenizer):
    """Problem and steps in a layout that was given."""

    def __init__(self, tokenizer: Any, layout: Layout, given: GivenLayout) -> None:
        super().__init__(tokenizer, layout)
        encode = tokenizer.encode
        self.problem_start = list(encode(given.problem_start, add_special_tokens=False))
        self.step_start = list(encode(given.step_start, add_special_tokens=False))

    def _as_problem(self, ids: list[int]) -> list[int]:
        begin = self.tokenizer.bos_token_id
        opening = [] if begin is None or self.problem_start[:1] == [begin] else [begin]
        return opening + self.problem_start + ids + self.problem_end or self.separator

    def _as_step(self, ids: list[int]) -> list[int]:
        return self.step_start + super()._as_step(ids)


def read_layout(path: Path) -> GivenLayout:
    """Raises MisstepError, with the file's name, for what is no such layout."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        known = {field.name for field in fields(GivenLayout)}
        if not isinstance(said, dict) or "separator" not in said or said.keys() - known:
            raise MisstepError(f"expected a JSON object with separator, and of {', '.join(sorted(known))}")
        return GivenLayout(**said)
    except (OSError, ValueError, TypeError, MisstepError) as error:
        raise MisstepError(f"{path}: {error}") from error


def open_given(folder: Path, given: GivenLayout) -> tuple[Any, GivenTokenizer, dict[str, Any]]:
    """The model, its tokenizer, and a card that says what is known of it.

    Raises MisstepError for a checkpoint of ours, which has a layout of its own, and for a model that does not fit.
    """
    if (folder / "card.json").exists():
        raise MisstepError(f"{folder} is a checkpoint with a layout of its own, expected no --layout with it")
    is_language_head = bool(given.target_tokens)
    model = load(folder, has_language_head=is_language_head, is_packed=not given.unpacked)
    context = context_of(model.config, is_packed=not given.unpacked)
    if given.maximum_length is not None and given.maximum_length > context:
        raise MisstepError(f"maximum_length {given.maximum_length}, expected at most the model's {context}")
    layout = Layout(
        given.separator, given.problem_end, given.maximum_length or context, list(given.target_tokens)
    )
    tokenizer = GivenTokenizer(load_step_tokenizer(folder).tokenizer, layout, given)
    parts = (tokenizer.separator, tokenizer.problem_start, tokenizer.problem_end, tokenizer.step_start)
    refuse_unknown_tokens(model, [*tokenizer.target_ids, *(token for part in parts for token in part)], [])
    if not is_language_head:
        _right_is_second(model, given.positive)
    card = {
        "format": "given", "objective": "classifier", "outputs": 2, "snapshot": None, "seed": None,
        "head": "tokens" if is_language_head else "linear", "config": {"unpacked": given.unpacked},
    }  # fmt: skip
    return model, tokenizer, card


@torch.no_grad()
def _right_is_second(model: Any, positive: int) -> None:
    """Put the classes in our order. Raises MisstepError for other than two."""
    last = [part for part in head_of(model).modules() if isinstance(part, nn.Linear)][-1]
    if last.out_features != 2:
        raise MisstepError(f"a head with {last.out_features} classes, expected 2")
    if positive == 0:
        for parameter in last.parameters():
            parameter.copy_(parameter.flip(0))
