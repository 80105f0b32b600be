"""Groups that began together: what their samples draw, and what they have written.

What is drawn for a sample depends on its prefix and its key alone. Matrix products round a little differently
in different company, which could turn a draw only where the two best tokens are nearly equal; such a draw is
decided by reading that one sequence alone, in double precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from ml.pocket.policy_draws import gumbel_noise
from ml.pocket.policy_engine import Engine
from ml.pocket.policy_memory import Memory
from ml.pocket.policy_prefixes import Parts, ReadPrefixes

# Far above the rounding of single precision (some 1e-5 of a score), far below what would cost time.
NEARLY_EQUAL = 1e-3


@dataclass(frozen=True, slots=True)
class Generated:
    """The tokens written after a prefix (the stop token included) and their summed log probability."""

    tokens: list[int]
    log_probability: float


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to continue: where to stop, what never to write, how warm, and at most how many tokens."""

    stops: frozenset[int]
    forbidden: tuple[int, ...]
    temperature: float
    longest: int


@dataclass(slots=True, eq=False)
class Group:
    """One prefix and its samples: a key for the draws of each. `results` is filled when all have stopped."""

    parts: Parts
    keys: np.ndarray
    sampling: Sampling
    results: list[Generated] = field(default_factory=list)


class Cohort:
    """Groups with equally many samples and the same sampling. Arrays are [groups, samples]."""

    def __init__(self, engine: Engine, groups: Sequence[Group], known: ReadPrefixes) -> None:
        self.engine, self.sampling = engine, groups[0].sampling
        found = {id(group): known.longest(group.parts) for group in groups}
        self.groups = sorted(groups, key=lambda group: found[id(group)][0] == len(group.parts))
        prefixes = []
        for group in self.groups:
            count, read = found[id(group)]
            prefixes.append((read, [token for part in group.parts[count:] for token in part]))
        size = self.samples = len(groups[0].keys)
        self.memory = Memory(engine, prefixes, size)
        for group, read in zip(self.groups, self.memory.reads, strict=True):
            known.keep(group.parts, read)
        self.scores = torch.stack([read.scores for read in self.memory.reads]).repeat_interleave(size, 0)
        self.keys = np.array([group.keys for group in self.groups])
        self.tokens = np.zeros((len(groups), size, 0), dtype=np.int64)
        self.log_probabilities = np.zeros((len(groups), size))
        self.stopped = np.zeros((len(groups), size), dtype=bool)
        self.longest = min(self.sampling.longest, engine.longest)
        self.stops = np.zeros(engine.vocabulary, dtype=bool)
        self.stops[list(self.sampling.stops)] = True
        self.forbidden = torch.zeros(engine.vocabulary)
        self.forbidden[list(self.sampling.forbidden)] = -torch.inf
        self.step = 0

    @property
    def rows(self) -> int:
        """How many samples are under way, idle ones included."""
        return len(self.groups) * self.samples

    def draw(self) -> list[Group]:
        """One token a row by the Gumbel trick; its log probability is the model's own, at temperature 1.

        Returns the groups whose samples have all stopped; they have left.
        """
        allowed, noise = self.scores + self.forbidden, None
        scaled = allowed
        if self.sampling.temperature > 0:
            noise = gumbel_noise(self.keys.ravel(), self.step, allowed.shape[1])
            scaled = allowed / self.sampling.temperature + torch.from_numpy(noise).to(allowed.dtype)
        best, drawn = scaled.topk(2)
        tokens = drawn[:, 0].numpy().reshape(-1, self.samples)
        close = (best[:, 0] - best[:, 1] < NEARLY_EQUAL).numpy().reshape(tokens.shape) & ~self.stopped
        for place, sample in np.argwhere(close):
            own = None if noise is None else noise[place * self.samples + sample]
            tokens[place, sample] = self._drawn_alone(place, sample, own)
        chosen = allowed.log_softmax(-1).gather(1, torch.from_numpy(tokens).view(-1, 1))
        return self._write(tokens, chosen.double().numpy().reshape(tokens.shape))

    def _drawn_alone(self, place: int, sample: int, noise: np.ndarray | None) -> int:
        """The same draw from scores that no company can have changed."""
        prefix = [token for part in self.groups[place].parts for token in part]
        scores = self.engine.exact.read(prefix + self.tokens[place, sample, : self.step].tolist())
        scores = scores + self.forbidden
        if noise is not None:
            scores = scores / self.sampling.temperature + torch.from_numpy(noise)
        return int(scores.argmax())

    def _write(self, tokens: np.ndarray, chosen: np.ndarray) -> list[Group]:
        if self.step == self.tokens.shape[2]:
            self.tokens = np.pad(self.tokens, ((0, 0), (0, 0), (0, 32)))
        self.tokens[:, :, self.step] = np.where(self.stopped, -1, tokens)
        self.log_probabilities += np.where(self.stopped, 0.0, chosen)
        self.stopped |= self.stops[tokens]
        self.step += 1
        room = self.engine.longest - self.memory.lengths.numpy()
        full = self.step >= np.minimum(self.longest, room)
        done = np.flatnonzero(self.stopped.all(1) | full)
        return [self._leave(int(place)) for place in done[::-1]]

    def _leave(self, place: int) -> Group:
        """Hand a group its results, and its place to the last group."""
        group, last = self.groups[place], len(self.groups) - 1
        for row, score in zip(self.tokens[place, :, : self.step], self.log_probabilities[place], strict=True):
            group.results.append(Generated(row[row >= 0].tolist(), float(score)))
        self.memory.leave(place)
        self.groups[place] = self.groups[last]
        del self.groups[last]
        for name in ("keys", "tokens", "log_probabilities", "stopped"):
            array = getattr(self, name)
            array[place] = array[last]
            setattr(self, name, array[:last])
        return group

    def begin_step(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Make ready for the drawn tokens' forward pass: the tokens [rows] and their positions [rows]."""
        self.memory.begin_step()
        drawn = torch.from_numpy(np.maximum(self.tokens[:, :, self.step - 1], 0).ravel())
        positions = (self.memory.lengths + self.step - 1).repeat_interleave(self.samples)
        return drawn, positions
