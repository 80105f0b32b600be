"""What training is fed: batches of lessons."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from tokenizers import Tokenizer

from ml.pocket.lessons import Lesson, lessons
from ml.pocket.tokenizer import PAD

NOT_LEARNED = -100
# Lessons of like length are batched from among so many; fewer would leave more padding.
LESSONS_SORTED = 600
# They are enough for batches of so many tokens; larger ones are made from among more.
TOKENS_SORTED = 3840

# Ids and targets, both of shape [batch, length].
Batch = tuple[torch.Tensor, torch.Tensor]


def batches(tokenizer: Tokenizer, seed: int, tokens: int, course: str = "careless") -> Iterator[Batch]:
    """Batches of about `tokens` tokens of lessons of like length: ids and targets, both int64 [batch, length]."""
    stream = lessons(tokenizer, seed, course)
    order = torch.Generator().manual_seed(seed)
    padding = tokenizer.token_to_id(PAD) or 0
    pooled = max(LESSONS_SORTED, LESSONS_SORTED * tokens // TOKENS_SORTED)
    while True:
        pool = sorted((next(stream) for _ in range(pooled)), key=lambda lesson: len(lesson.tokens))
        groups: list[list[Lesson]] = [[]]
        for lesson in pool:
            if groups[-1] and (len(groups[-1]) + 1) * len(lesson.tokens) > tokens:
                groups.append([])
            groups[-1].append(lesson)
        for index in torch.randperm(len(groups), generator=order).tolist():
            yield _batch(groups[index], padding)


def _batch(group: list[Lesson], padding: int) -> Batch:
    length = max(len(lesson.tokens) for lesson in group)
    ids = torch.full((len(group), length), padding)
    targets = torch.full((len(group), length), NOT_LEARNED)
    for row, lesson in enumerate(group):
        ids[row, : len(lesson.tokens)] = torch.tensor(lesson.tokens)
        learned = [t if flag else NOT_LEARNED for t, flag in zip(lesson.tokens, lesson.learned, strict=True)]
        targets[row, : len(learned)] = torch.tensor(learned)
    return ids, targets
