"""The pocket policy: writes the steps of pocket problems, in prose or code, after anyone's steps."""

from __future__ import annotations

import hashlib
import warnings
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from ml.errors import MisstepError
from ml.file_hash import sha256_of
from ml.pocket.policy_cohort import Generated, Group, Sampling
from ml.pocket.policy_engine import Engine
from ml.pocket.policy_prefixes import Parts
from ml.pocket.policy_service import EngineProcess, EngineThread
from ml.pocket.tokenizer import BEGIN, CODE, DRILL, END, PAD, PROSE, STEP, UNKNOWN, load_tokenizer
from ml.policies.protocol import Continuation, Prefix, Unanswerable, all_answered

SHIPPED = Path(__file__).parent / "weights"
LONGEST_COMPLETION = 480
LONGEST_STEP = 200
# More samples of one prefix are several groups; the prefix is read once all the same.
SAMPLES_IN_A_GROUP = 64
# Calls that an engine is glad to have at once: it merges them into one running batch.
LANES_OF_AN_ENGINE = 16


class PocketPolicy:
    """A policy of a checkpoint folder; see `ml.policies.protocol.Policy` for the two methods.

    What is drawn for a prefix depends on the seed, the prefix and the draw's number, never on its neighbours.
    log_probability is the model's own, at temperature 1. Thread-safe.

    engines: 1 samples in this process; more are processes of their own, each with the prefixes of its problems.
    lanes: how many calls are best under way at once.
    """

    # It was trained on nothing else, so nobody can ask it a question.
    only_writes_steps = True

    def __init__(self, folder: Path, engines: int = 1) -> None:
        try:
            self.engine = Engine(folder)
            self.tokenizer = load_tokenizer(folder)
        except (OSError, KeyError, ValueError) as problem:
            raise MisstepError(f"{folder}: no pocket policy can be read from here: {problem}") from problem
        # A text may contain "<end>"; only this class may write the token.
        self.tokenizer.encode_special_tokens = True
        digest = sha256_of(folder / "model.safetensors")[:8]
        self.name = f"pocket-{digest}"
        self._engines: Sequence[EngineThread | EngineProcess] = (
            [EngineThread(self.engine)] if engines == 1 else [EngineProcess(folder) for _ in range(engines)]
        )
        self._tokens = lru_cache(maxsize=50_000)(lambda text: tuple(self.tokenizer.encode(text).ids))
        self.lanes = LANES_OF_AN_ENGINE * engines
        self._ids = {token: self._id(token) for token in (BEGIN, STEP, END, PROSE, CODE)}
        self._forbidden = tuple(map(self._id, (PAD, BEGIN, PROSE, CODE, UNKNOWN, DRILL)))

    def close(self) -> None:
        """End the engines that are processes of their own."""
        for engine in self._engines:
            if isinstance(engine, EngineProcess):
                engine.close()

    def _id(self, token: str) -> int:
        found = self.tokenizer.token_to_id(token)
        if found is None:
            raise MisstepError(f"the policy's tokenizer has no token {token}")
        return found

    def next_steps(
        self, prefixes: Sequence[Prefix], count: int, temperature: float, seed: int
    ) -> list[list[Continuation]]:
        """`count` candidate next steps for each prefix."""
        return self._continue(prefixes, count, temperature, seed, (STEP, END), LONGEST_STEP)

    def complete(
        self, prefixes: Sequence[Prefix], count: int, temperature: float, seed: int
    ) -> list[list[Continuation]]:
        """`count` completions to the end for each prefix."""
        return self._continue(prefixes, count, temperature, seed, (END,), LONGEST_COMPLETION)

    def _continue(
        self, prefixes: Sequence[Prefix], count: int, temperature: float, seed: int, stops: tuple[str, ...],
        longest: int,
    ) -> list[list[Continuation]]:  # fmt: skip
        sampling = Sampling(frozenset(self._ids[s] for s in stops), self._forbidden, temperature, longest)
        encoded = [self._encoded(prefix, longest) for prefix in prefixes]
        rows = [
            parts if isinstance(parts, Unanswerable) else _groups(parts, count, seed, sampling)
            for parts in encoded
        ]
        shares: list[list[Group]] = [[] for _ in self._engines]
        for row in rows:
            if isinstance(row, Unanswerable):
                continue
            # A problem's prefixes all go where its earlier ones were read.
            question = zlib.crc32(repr(row[0].parts[0]).encode()) if row else 0
            shares[question % len(shares)] += row
        calls = [engine.submit(share) for engine, share in zip(self._engines, shares, strict=True) if share]
        for call in calls:
            call.result()
        return all_answered(
            [
                row
                if isinstance(row, Unanswerable)
                else [self._decode(one, sampling.stops) for group in row for one in group.results]
                for row in rows
            ]
        )

    def _encoded(self, prefix: Prefix, longest: int) -> Parts | Unanswerable:
        """The parts of a prefix, or why it cannot be read: the others of its call can be, all the same."""
        try:
            return self._encode(prefix, longest)
        except Unanswerable as refusal:
            return refusal.with_traceback(None)

    def _encode(self, prefix: Prefix, longest: int) -> Parts:
        """The token ids of the prefix's parts: the question, then each step.

        One that leaves no room loses its oldest steps, with a warning. Raises Unanswerable where the
        question alone leaves none.
        """
        style = self._ids[PROSE if prefix.style == "prose" else CODE]
        head = (self._ids[BEGIN], *self._tokens(prefix.problem.text), style)
        steps = [(*self._tokens(step), self._ids[STEP]) for step in prefix.steps]
        room = self.engine.longest - min(longest, LONGEST_STEP) - len(head)
        if room < 0:
            raise Unanswerable(
                f"problem {prefix.problem.id!r} has {len(head)} tokens, more than the policy reads"
            )
        dropped = 0
        while sum(map(len, steps[dropped:])) > room:
            dropped += 1
        if dropped:
            warnings.warn(
                f"problem {prefix.problem.id!r}: the first {dropped} steps of the prefix do not fit "
                f"the policy's {self.engine.longest} tokens and were left out",
                stacklevel=5,
            )
        return head, *steps[dropped:]

    def _decode(self, generated: Generated, stops: frozenset[int]) -> Continuation:
        """The steps that were written; cut where the room for them ended before they did."""
        tokens = generated.tokens
        cut = not tokens or tokens[-1] not in stops
        finished = bool(tokens) and tokens[-1] == self._ids[END]
        steps: list[list[int]] = [[]]
        for token in tokens:
            if token == self._ids[STEP]:
                steps.append([])
            elif token != self._ids[END]:
                steps[-1].append(token)
        texts = tuple(self.tokenizer.decode(step) for step in steps if step)
        return Continuation(texts, finished, len(tokens), generated.log_probability, cut=cut)


def _groups(parts: Parts, count: int, seed: int, sampling: Sampling) -> list[Group]:
    """The groups of one prefix's samples; each sample's draws depend on the prefix, the seed and its number."""
    ids = " ".join(str(token) for part in parts for token in part)
    keys = np.array([_key(f"{seed} {draw} {ids}") for draw in range(count)], dtype=np.uint64)
    return [
        Group(parts, keys[begin : begin + SAMPLES_IN_A_GROUP], sampling)
        for begin in range(0, count, SAMPLES_IN_A_GROUP)
    ]


def _key(text: str) -> int:
    """64 bits for the random draws of one continuation."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def load_pocket_policy(path: Path | None = None, engines: int = 1) -> PocketPolicy:
    """The shipped policy, or the one of a checkpoint folder."""
    return PocketPolicy(path or SHIPPED, engines)
