"""How often the plain vote is right, by what it may spend: the base against which a search is judged.

No two methods spend exactly the same, so a gain counts over the vote that the same tokens would buy. A pool of samples
of each problem, drawn once, gives the vote of every smaller number of samples, in the mean over subsamples.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.answers import is_equivalent
from ml.records import Problem
from ml.search.voting import Chosen

Floats = NDArray[np.float64]
SUBSAMPLES = 200
# Names of answers in a pool: one for each that differs, as letters so that a pool is short to write.
LETTERS, NO_ANSWER = string.ascii_letters, "."


@dataclass(frozen=True)
class Pool:
    """samples: per problem, the answer of each sample by its letter. right: per problem, the letter of the right one
    ("" where nobody said it). tokens: what one sample generates in the mean.
    """

    samples: tuple[str, ...]
    right: tuple[str, ...]
    tokens: float

    def as_json(self) -> dict[str, Any]:
        return {"tokens_a_sample": self.tokens, "samples": list(self.samples), "right": list(self.right)}


def pool_of(
    problems: Sequence[Problem], sampled: Sequence[Chosen], size: int, tokens_a_problem: float
) -> Pool:
    """The pool of what self-consistency sampled: `size` of each problem, those without an end among them."""
    found = [
        _named([candidate.answer for candidate in one.candidates], problem.answer)
        for problem, one in zip(problems, sampled, strict=True)
    ]
    samples = tuple(letters.ljust(size, NO_ANSWER) for letters, _ in found)
    return Pool(samples, tuple(right for _, right in found), round(tokens_a_problem / size, 1))


def read_pool(written: dict[str, Any]) -> Pool:
    """A pool from its JSON."""
    return Pool(tuple(written["samples"]), tuple(written["right"]), written["tokens_a_sample"])


def joined_pool(pools: Sequence[Pool]) -> Pool:
    """The pool of all problems, from those of parts of them."""
    counts = [len(pool.samples) for pool in pools]
    return Pool(
        tuple(letters for pool in pools for letters in pool.samples),
        tuple(letter for pool in pools for letter in pool.right),
        round(float(np.average([pool.tokens for pool in pools], weights=counts)), 1),
    )


def _named(answers: Iterable[str | None], reference: str | None) -> tuple[str, str]:
    """The letter of each answer, and that of the right one. Equal answers are grouped as the vote groups them."""
    known: list[str] = []
    letters = ""
    for answer in answers:
        if answer is None:
            letters += NO_ANSWER
            continue
        group = next((g for g, other in enumerate(known) if is_equivalent(answer, other)), len(known))
        if group == len(known):
            known.append(answer)
        letters += LETTERS[group]
    right = next((LETTERS[g] for g, answer in enumerate(known) if is_equivalent(answer, reference)), "")
    return letters, right


@dataclass(frozen=True)
class VoteCurve:
    """shares: per number of samples, the share of votes that are right on each problem; shape [problems]. tokens: of
    one sample.
    """

    shares: dict[int, Floats]
    tokens: float

    def with_vote(self, samples: int, right: Sequence[bool]) -> VoteCurve:
        """With one vote of so many samples, more than the pool holds; what the pool tells it tells better."""
        shares = {samples: np.asarray(right, float), **self.shares}
        return replace(self, shares=dict(sorted(shares.items())))

    def at(self, tokens: float) -> Floats:
        """What a vote of so many tokens a problem gets right, between the two nearest numbers of samples in
        proportion. Past the largest number it counts as level.
        """
        counts = list(self.shares)
        wanted = min(max(tokens / self.tokens, counts[0]), counts[-1])
        above = next(count for count in counts if count >= wanted)
        below = max((count for count in counts if count <= wanted), default=above)
        weight = (wanted - below) / (above - below) if above > below else 0.0
        return (1 - weight) * self.shares[below] + weight * self.shares[above]


def curve_of(pool: Pool) -> VoteCurve:
    """The curve that the pool gives, from one sample to all of them."""
    generator = np.random.default_rng(0)
    by_problem = [_shares(*one, generator) for one in zip(pool.samples, pool.right, strict=True)]
    by_count = np.stack(by_problem, axis=1)
    return VoteCurve({count + 1: shares for count, shares in enumerate(by_count)}, pool.tokens)


def _shares(samples: str, right: str, generator: np.random.Generator) -> Floats:
    """How often a vote over the first 1, 2, ... of the samples is right, over orders of them; equal counts share."""
    letters = sorted(set(samples) - {NO_ANSWER})
    if right not in letters:
        return np.zeros(len(samples))
    said = np.array([[sample == letter for letter in letters] for sample in samples], int)
    total = np.zeros(len(samples))
    for _ in range(SUBSAMPLES):
        counts = said[generator.permutation(len(samples))].cumsum(axis=0)
        leads = (counts == counts.max(axis=1, keepdims=True)) & (counts > 0)
        total += leads[:, letters.index(right)] / np.maximum(leads.sum(axis=1), 1)
    return total / SUBSAMPLES
