"""What training is fed: the stream of old, and writers in processes of their own."""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import subprocess
import sys
from contextlib import closing

import pytest

torch = pytest.importorskip("torch")

from ml.errors import MisstepError  # noqa: E402
from ml.pocket import feeding  # noqa: E402
from ml.pocket.feeding import NOT_LEARNED, batches, feed, on_device  # noqa: E402
from ml.pocket.tokenizer import PAD, build_tokenizer  # noqa: E402
from tests.ml.prm.warm_process import FORKED_WARM  # noqa: E402

ORPHANS = """
import os
from ml.pocket.feeding import feed
from ml.pocket.tokenizer import build_tokenizer

if __name__ == "__main__":
    next(feed(build_tokenizer(), 0, 1024, writers=2))
    print("fed", flush=True)
    os._exit(9)
"""


@pytest.fixture
def warm_writers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers that need not import torch; those of the other tests are spawned, as they are outside of tests."""
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: FORKED_WARM)


def test_targets_are_the_learned_tokens_and_nothing_else() -> None:
    ids, targets = next(batches(build_tokenizer(), 0, 2048))
    assert ids.shape == targets.shape and ids.numel() <= 2048
    learned = targets != NOT_LEARNED
    assert (targets[learned] == ids[learned]).all()
    assert 0.2 < learned.float().mean() < 0.95


def test_without_writers_the_stream_is_the_one_that_the_shipped_policy_learned_from() -> None:
    found = hashlib.sha256()
    with closing(feed(build_tokenizer(), 0, 2560, "careless")) as stream:
        for batch in itertools.islice(stream, 3):
            for part in batch:
                found.update(f"{part.dtype} {tuple(part.shape)}".encode() + part.numpy().tobytes())
    assert found.hexdigest()[:16] == "4680d37e6c342b0e"


def test_larger_batches_are_made_from_more_lessons_so_that_padding_stays_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeding, "LESSONS_SORTED", 75)
    monkeypatch.setattr(feeding, "TOKENS_SORTED", 480)
    tokenizer = build_tokenizer()
    padding = tokenizer.token_to_id(PAD)
    sample = itertools.islice(batches(tokenizer, 0, 4096, "careful"), 40)
    shares = [float((ids == padding).float().mean()) for ids, _ in sample]
    assert len(shares) == 40 and sum(shares) / 40 < 0.04


def test_writers_take_turns_and_each_has_lessons_of_its_own(warm_writers: None) -> None:
    tokenizer = build_tokenizer()
    alone = [batches(tokenizer, 5, 1024, writer=writer) for writer in range(2)]
    cpu = torch.device("cpu")
    with closing(feed(tokenizer, 5, 1024, writers=2)) as stream:
        for batch, expected in zip(itertools.islice(stream, 6), itertools.cycle(alone), strict=False):
            assert all(map(torch.equal, on_device(batch, cpu), next(expected)))
    assert not torch.equal(next(alone[0])[0], next(alone[1])[0])


def test_writers_end_when_the_stream_is_closed() -> None:
    with closing(feed(build_tokenizer(), 0, 1024, writers=1)) as stream:
        next(stream)
        assert len(_writers()) == 1
    assert not _writers()


def test_writers_end_when_the_process_that_trains_dies() -> None:
    # What a process has printed ends only when all who share its stdout have ended, and so its writers.
    done = subprocess.run([sys.executable, "-c", ORPHANS], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout) == (9, "fed\n"), done.stderr


def test_a_writer_that_is_killed_is_an_error_in_words(warm_writers: None) -> None:
    with closing(feed(build_tokenizer(), 0, 1024, writers=2)) as stream:
        next(stream)
        next(process for process in _writers() if process.name == "lesson writer 1").kill()
        with pytest.raises(MisstepError, match="lesson writer 1 ended with exit code -9, expected batches"):
            for _ in stream:
                pass


def test_a_writer_that_fails_is_an_error_in_words(warm_writers: None) -> None:
    with (
        closing(feed(build_tokenizer(), 0, 1024, "no such course", writers=1)) as stream,
        pytest.raises(MisstepError, match="lesson writer 0 ended"),
    ):
        next(stream)


def test_less_than_no_writers_are_refused() -> None:
    with pytest.raises(MisstepError, match="-1 writers, expected 0 or more"):
        next(feed(build_tokenizer(), 0, 1024, writers=-1))


def _writers() -> list[multiprocessing.process.BaseProcess]:
    return [process for process in multiprocessing.active_children() if "lesson writer" in process.name]
