"""Continuous batching: cohorts join the running batch while others are under way; nobody waits for the slowest."""

from __future__ import annotations

from collections import deque

import torch

from ml.pocket.policy_cohort import Cohort, Group
from ml.pocket.policy_engine import Engine
from ml.pocket.policy_prefixes import ReadPrefixes

ROWS_AT_ONCE = 512
# Groups join when at least this share as many rows wait as are under way, or after so many turns.
WORTH_A_COHORT = 0.5
PATIENCE = 16


class RunningBatch:
    """Groups that are sampled, and those that wait for room. `turn` while anything is `busy`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.reads = ReadPrefixes()
        self.waiting: deque[Group] = deque()
        self.waiting_rows = self.turns_waited = 0
        self.cohorts: list[Cohort] = []

    @property
    def busy(self) -> bool:
        """Whether a turn would do anything."""
        return bool(self.waiting or self.cohorts)

    def add(self, group: Group) -> None:
        """Let a group in as soon as there is room."""
        self.waiting.append(group)
        self.waiting_rows += len(group.keys)

    @torch.inference_mode()
    def turn(self) -> list[Group]:
        """One token for every sample; returns the groups that are finished."""
        self._admit()
        finished = [group for cohort in self.cohorts for group in cohort.draw()]
        self.cohorts = [cohort for cohort in self.cohorts if cohort.groups]
        if self.cohorts:
            self._step()
        return finished

    def _admit(self) -> None:
        """Start new cohorts once half of the batch is free and enough waits: every cohort has an attention of its
        own at each step, and a small one costs nearly what a large one does. Nobody waits longer than a moment.
        """
        rows = sum(cohort.rows for cohort in self.cohorts)
        self.turns_waited += bool(self.waiting)
        is_worth_it = self.waiting_rows >= WORTH_A_COHORT * rows or self.turns_waited >= PATIENCE
        if 2 * rows > ROWS_AT_ONCE or not is_worth_it:
            return
        self.turns_waited = 0
        joining: dict[object, list[Group]] = {}
        while self.waiting and (not rows or rows + len(self.waiting[0].keys) <= ROWS_AT_ONCE):
            group = self.waiting.popleft()
            rows += len(group.keys)
            self.waiting_rows -= len(group.keys)
            joining.setdefault((len(group.keys), group.sampling), []).append(group)
        self.cohorts += [Cohort(self.engine, groups, self.reads) for groups in joining.values()]

    def _step(self) -> None:
        """The next token's scores for all rows: one pass, in which each cohort attends to its own."""
        cohorts = self.cohorts
        begun = [cohort.begin_step() for cohort in cohorts]
        if len(cohorts) == 1:
            hidden = self.engine.forward(*begun[0], cohorts[0].memory.attend)
            cohorts[0].scores = self.engine.logits(hidden)
            return
        sizes = [cohort.rows for cohort in cohorts]

        def attend(layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
            parts = zip(cohorts, *(states.split(sizes) for states in (query, key, value)), strict=True)
            return torch.cat([cohort.memory.attend(layer, *states) for cohort, *states in parts])

        ids, positions = (torch.cat(tensors) for tensors in zip(*begun, strict=True))
        scores = self.engine.logits(self.engine.forward(ids, positions, attend))
        for cohort, part in zip(cohorts, scores.split(sizes), strict=True):
            cohort.scores = part
