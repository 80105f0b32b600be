"""What training is fed: batches of lessons, written in its own process or ahead of it by others."""

from __future__ import annotations

import itertools
import multiprocessing
import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import numpy as np
import torch
from tokenizers import Tokenizer

from ml.errors import MisstepError
from ml.pocket.lessons import Lesson, lessons
from ml.pocket.tokenizer import PAD
from ml.seeds import seed_of

# What nobody has to foretell: torch's own mark for such a target.
NOT_LEARNED = -100
# Lessons of like length are batched from among so many; fewer would leave more padding.
LESSONS_SORTED = 600
# They are enough for batches of so many tokens; larger ones are made from among more.
TOKENS_SORTED = 3840
# Batches that a writer holds ready. More than a pool makes, so that it writes the next pool while one is taken.
AHEAD = 64

# Ids and targets, both of shape [batch, length].
Batch = tuple[torch.Tensor, torch.Tensor]


def batches(
    tokenizer: Tokenizer, seed: int, tokens: int, course: str = "careless", writer: int | None = None
) -> Iterator[Batch]:
    """Batches of about `tokens` tokens of lessons of like length: ids and targets, both int64 [batch, length].

    Every writer has lessons and an order of its own; None is the process that trains.
    """
    name = str(seed) if writer is None else f"{seed} writer {writer}"
    stream = lessons(tokenizer, name, course)
    order = torch.Generator().manual_seed(seed if writer is None else seed_of(name))
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


def feed(
    tokenizer: Tokenizer, seed: int, tokens: int, course: str = "careless", writers: int = 0
) -> Generator[Batch, None, None]:
    """What `batches` yields; with writers int16, and batch k is written by process k % writers.

    The same for the same seed and number of writers. Close it to end the writers; they also end with this process.
    Raises MisstepError when a writer ends before that.
    """
    if writers < 0:
        raise MisstepError(f"{writers} writers, expected 0 or more")
    if writers == 0:
        yield from batches(tokenizer, seed, tokens, course)
        return
    hired = [_hire(tokenizer, seed, tokens, course, writer) for writer in range(writers)]
    try:
        for process, source in itertools.cycle(hired):
            yield _take(process, source)
    finally:
        for process, source in hired:
            source.close()
            process.terminate()
            process.join()


def on_device(batch: Batch, device: torch.device) -> Batch:
    """The batch as int64 on the device; copies to a GPU do not hold up this process."""
    ids, targets = (part.pin_memory() if device.type == "cuda" else part for part in batch)
    return ids.to(device, non_blocking=True).long(), targets.to(device, non_blocking=True).long()


def _hire(
    tokenizer: Tokenizer, seed: int, tokens: int, course: str, writer: int
) -> tuple[BaseProcess, Connection]:
    """Start a writer; returns its process and where its batches come out."""
    # A forked process could not live beside CUDA.
    context = multiprocessing.get_context("spawn")
    source, sink = context.Pipe(duplex=False)
    asked = (sink, tokenizer, seed, tokens, course, writer)
    process = context.Process(target=_write, args=asked, name=f"lesson writer {writer}", daemon=True)
    process.start()
    # Only the writer holds this end from here on, so that its death is read as the end of the pipe.
    sink.close()
    return process, source


def _take(process: BaseProcess, source: Connection) -> Batch:
    """The writer's next batch, int16; MisstepError when it has ended."""
    try:
        ids, targets = source.recv()
    except (EOFError, OSError):
        process.join()
        raise MisstepError(
            f"{process.name} ended with exit code {process.exitcode}, expected batches until training ends"
        ) from None
    return torch.from_numpy(ids), torch.from_numpy(targets)


def _write(sink: Connection, tokenizer: Tokenizer, seed: int, tokens: int, course: str, writer: int) -> None:
    """A writer's life: batches go out as int16 arrays until nobody is there to take them."""
    torch.set_num_threads(1)
    ready: queue.Queue[Batch | None] = queue.Queue(AHEAD)
    stream = batches(tokenizer, seed, tokens, course, writer)
    threading.Thread(target=_write_ahead, args=(stream, ready), daemon=True).start()
    with suppress(BrokenPipeError, KeyboardInterrupt):
        while (batch := ready.get()) is not None:
            sink.send([part.numpy().astype(np.int16) for part in batch])


def _write_ahead(stream: Iterator[Batch], ready: queue.Queue[Batch | None]) -> None:
    """Fill the queue; None, should an error end the stream, says that nothing more will come."""
    try:
        for batch in stream:
            ready.put(batch)
    finally:
        ready.put(None)
