"""What training is fed: the stream of old."""

from __future__ import annotations

import hashlib
import itertools

import pytest

torch = pytest.importorskip("torch")

from ml.pocket import feeding  # noqa: E402
from ml.pocket.feeding import NOT_LEARNED, batches  # noqa: E402
from ml.pocket.tokenizer import PAD, build_tokenizer  # noqa: E402


def test_targets_are_the_learned_tokens_and_nothing_else() -> None:
    ids, targets = next(batches(build_tokenizer(), 0, 2048))
    assert ids.shape == targets.shape and ids.numel() <= 2048
    learned = targets != NOT_LEARNED
    assert (targets[learned] == ids[learned]).all()
    assert 0.2 < learned.float().mean() < 0.95


@pytest.mark.parametrize(
    ("seed", "tokens", "course", "digest"),
    [(0, 2560, "careless", "4680d37e6c342b0e"), (77, 3840, "careful", "ab1101a26d647b31")],
)
def test_the_stream_is_the_one_that_the_shipped_weights_learned_from(
    seed: int, tokens: int, course: str, digest: str
) -> None:
    found = hashlib.sha256()
    for batch in itertools.islice(batches(build_tokenizer(), seed, tokens, course), 3):
        for part in batch:
            found.update(f"{part.dtype} {tuple(part.shape)}".encode() + part.numpy().tobytes())
    assert found.hexdigest()[:16] == digest


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
