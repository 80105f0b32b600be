"""Keys and values of prompts that a local model has read, so that a longer one reads only what it adds.

A radix trie over token ids: what two prompts begin with is held once, whatever step or problem they part at. Those used
longest ago go when there are too many bytes of them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import torch

from ml.recent import ENTRY_BYTES

# A token's own place in a run's tuple.
TOKEN_BYTES = 8


@dataclass(frozen=True, slots=True)
class States:
    """Keys and values of neighbouring tokens, each [layers, heads, tokens, width]."""

    keys: torch.Tensor
    values: torch.Tensor

    def __len__(self) -> int:
        return self.keys.shape[2]

    def cut(self, start: int, end: int) -> States:
        """Those of some of the tokens, in memory of their own: what they were cut from can go."""
        return States(self.keys[:, :, start:end].clone(), self.values[:, :, start:end].clone())


@dataclass(slots=True, eq=False)
class _Run:
    """Tokens that no prompt parts at, behind those of `parent`."""

    tokens: tuple[int, ...]
    states: States
    parent: _Run | None
    children: dict[int, _Run] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        states = self.states.keys.nbytes + self.states.values.nbytes
        return states + TOKEN_BYTES * len(self.tokens) + ENTRY_BYTES


class KeptPrefixes:
    """What was read, within a budget of bytes; with none, nothing is kept. Not thread-safe.

    read, reused: how many tokens of prompts went through the model, and how many were here already.
    """

    def __init__(self, bytes_kept: int) -> None:
        self.bytes_kept, self.bytes = bytes_kept, 0
        self.read = self.reused = 0
        self._first: dict[int, _Run] = {}
        # The order of use, oldest first. A run stands before the one it goes on from, so that the oldest has nothing
        # behind it and can go.
        self._runs: OrderedDict[_Run, None] = OrderedDict()

    def find(self, tokens: Sequence[int]) -> list[States]:
        """The states of as many of the first tokens as are here, in their order."""
        runs, known = self._path(tokens)
        self._touch(runs)
        if not runs:
            return []
        last = runs[-1].states
        used = known - sum(len(run.tokens) for run in runs[:-1])
        part = States(last.keys[:, :, :used], last.values[:, :, :used])
        return [*(run.states for run in runs[:-1]), part]

    def keep(self, tokens: Sequence[int], states: States) -> None:
        """Remember the states of a prompt's last tokens. Those before them are here; where they had to go, so do
        these.
        """
        runs, known = self._path(tokens)
        start = len(tokens) - len(states)
        new = states.cut(max(0, known - start), len(states))
        if known < start or not len(new):
            return
        run = _Run(tuple(tokens[known:]), new, None)
        if run.bytes > self.bytes_kept:
            return
        if runs and (used := known - sum(len(one.tokens) for one in runs[:-1])) < len(runs[-1].tokens):
            runs[-1] = self._split(runs[-1], used)
        run.parent = runs[-1] if runs else None
        self._behind(run.parent)[run.tokens[0]] = run
        self._runs[run] = None
        self.bytes += run.bytes
        self._touch([*runs, run])
        while self.bytes > self.bytes_kept:
            self._forget(next(iter(self._runs)))

    def _path(self, tokens: Sequence[int]) -> tuple[list[_Run], int]:
        """The runs that the tokens begin with, and how many tokens that are; of the last run maybe a part."""
        runs: list[_Run] = []
        known = 0
        while known < len(tokens):
            run = self._behind(runs[-1] if runs else None).get(tokens[known])
            if run is None:
                break
            pairs = zip(run.tokens, tokens[known : known + len(run.tokens)], strict=False)
            same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            runs.append(run)
            known += same
            if same < len(run.tokens):
                break
        return runs, known

    def _behind(self, run: _Run | None) -> dict[int, _Run]:
        return self._first if run is None else run.children

    def _touch(self, runs: Sequence[_Run]) -> None:
        for run in reversed(runs):
            self._runs.move_to_end(run)

    def _split(self, run: _Run, at: int) -> _Run:
        """Part a run in two; returns the first."""
        first = _Run(run.tokens[:at], run.states.cut(0, at), run.parent)
        self._behind(run.parent)[first.tokens[0]] = first
        self.bytes -= run.bytes
        run.tokens, run.states = run.tokens[at:], run.states.cut(at, len(run.states))
        run.parent = first
        first.children[run.tokens[0]] = run
        self.bytes += first.bytes + run.bytes
        self._runs[first] = None
        return first

    def _forget(self, run: _Run) -> None:
        del self._runs[run]
        del self._behind(run.parent)[run.tokens[0]]
        self.bytes -= run.bytes


def may_be_read_in_parts(config: object) -> bool:
    """Whether a token's keys are the same however long the prompt around them is. Position encodings that stretch
    with the length turn them anew.
    """
    rope = getattr(text_config(config), "rope_parameters", None) or {}
    # One for each kind of layer, where a model has several.
    kinds = [rope, *(part for part in rope.values() if isinstance(part, dict))]
    return not any(kind.get("rope_type") in ("dynamic", "longrope") for kind in kinds)


def text_config(config: Any) -> Any:
    """What a model that also reads images or sounds says of its text part; of others, the whole."""
    own = getattr(config, "get_text_config", None)
    return own(decoder=True) if own else config
