"""The pocket policy: writes the steps of pocket problems, in prose or code, after anyone's steps."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path

from ml.errors import MisstepError
from ml.pocket.policy_engine import Engine, Sampling
from ml.pocket.tokenizer import BEGIN, CODE, DRILL, END, PAD, PROSE, STEP, UNKNOWN, load_tokenizer
from ml.policies.protocol import Continuation, Prefix

SHIPPED = Path(__file__).parent / "weights"
LONGEST_COMPLETION = 480
LONGEST_STEP = 200


class PocketPolicy:
    """A policy of a checkpoint folder; see `ml.policies.protocol.Policy` for the two methods.

    What is drawn for a prefix depends on the seed, the prefix and the draw's number, never on its neighbours.
    log_probability is the model's own, at temperature 1.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self.engine = Engine(folder)
            self.tokenizer = load_tokenizer(folder)
        except (OSError, KeyError, ValueError) as problem:
            raise MisstepError(f"{folder}: no pocket policy can be read from here: {problem}") from problem
        # A text may contain "<end>"; only this class may write the token.
        self.tokenizer.encode_special_tokens = True
        digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:8]
        self.name = f"pocket-{digest}"
        self._ids = {token: self._id(token) for token in (BEGIN, STEP, END, PROSE, CODE)}
        self._forbidden = tuple(map(self._id, (PAD, BEGIN, PROSE, CODE, UNKNOWN, DRILL)))

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
        encoded = [self._encode(prefix, longest) for prefix in prefixes]
        keys = [[_key(ids, seed, draw) for draw in range(count)] for ids in encoded]
        sampling = Sampling(frozenset(self._ids[s] for s in stops), self._forbidden, temperature, longest)
        generated = self.engine.sample(encoded, keys, sampling)
        return [[self._decode(g.tokens, g.log_probability) for g in row] for row in generated]

    def _encode(self, prefix: Prefix, longest: int) -> list[int]:
        """The prefix's token ids. One that leaves no room loses its oldest steps, with a warning."""
        style = self._ids[PROSE if prefix.style == "prose" else CODE]
        head = [self._ids[BEGIN], *self.tokenizer.encode(prefix.problem.text).ids, style]
        steps = [[*self.tokenizer.encode(step).ids, self._ids[STEP]] for step in prefix.steps]
        room = self.engine.longest - min(longest, LONGEST_STEP) - len(head)
        if room < 0:
            raise MisstepError(
                f"problem {prefix.problem.id!r} has {len(head)} tokens, more than the policy reads"
            )
        dropped = 0
        while sum(map(len, steps[dropped:])) > room:
            dropped += 1
        if dropped:
            warnings.warn(
                f"problem {prefix.problem.id!r}: the first {dropped} steps of the prefix do not fit "
                f"the policy's {self.engine.longest} tokens and were left out",
                stacklevel=4,
            )
        return head + [token for step in steps[dropped:] for token in step]

    def _decode(self, tokens: list[int], log_probability: float) -> Continuation:
        finished = bool(tokens) and tokens[-1] == self._ids[END]
        steps: list[list[int]] = [[]]
        for token in tokens:
            if token == self._ids[STEP]:
                steps.append([])
            elif token != self._ids[END]:
                steps[-1].append(token)
        texts = tuple(self.tokenizer.decode(step) for step in steps if step)
        return Continuation(texts, finished, len(tokens), log_probability)


def _key(ids: Sequence[int], seed: int, draw: int) -> int:
    """64 bits for the random draws of one continuation."""
    text = f"{seed} {draw} {' '.join(map(str, ids))}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def load_pocket_policy(path: Path | None = None) -> PocketPolicy:
    """The shipped policy, or the one of a checkpoint folder."""
    return PocketPolicy(path or SHIPPED)
