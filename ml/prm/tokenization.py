"""Problem and steps to token ids, so that every step ends in a token of its own that the head reads.

TRL's convention: each step is tokenised alone, followed by the separator, and the label sits on the last
separator token. Tokenising alone means that a step's tokens do not depend on what stands around it, which is
what lets alternatives share a prefix. Nothing is cut off in silence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from ml.errors import MisstepError
from ml.pocket import tokenizer as pocket
from ml.prm.tokens import Tokens, compact, has_unknown, remember

PAD = "<pad>"
# Tokens of problem and solution that a model of the pocket family reads.
POCKET_CONTEXT = 1024
# Steps whose tokens are remembered: enough for what stands side by side, and a bound where a process lives long.
STEPS_KEPT = 2**16
# Problems likewise: their solutions stand side by side in most files.
PROBLEMS_KEPT = 2**13
# Texts that are tokenised at once.
TEXTS_AT_ONCE = 1024
# How tokenizers write the tokens that are no text.
SPECIAL = re.compile(r"<[^<>\s]+>|\[[^\[\]\s]+\]")


@dataclass(frozen=True)
class Layout:
    """How a solution becomes tokens: what ends each step, what ends the problem ("" for nothing), and the
    context in tokens. target_tokens: the language model's words for negative, positive (and neutral) where its
    own head is read, () for another head. tolerance: where steps are read by the chances of their own tokens
    (see `ml.prm.likelihood`), else None. A checkpoint carries it as `steps.json`."""

    separator: str = "\n"
    problem_end: str = "\n"
    maximum_length: int = 2048
    target_tokens: Sequence[str] = ()
    tolerance: float | None = None


class TooLong(MisstepError):
    """A record has a step that does not fit the context even alone behind the problem."""


class StepTokenizer:
    """A tokenizer with a layout; remembers problems and steps, because solutions and siblings repeat them."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, layout: Layout) -> None:
        self.tokenizer, self.layout = tokenizer, layout
        self.separator = tokenizer.encode(layout.separator, add_special_tokens=False)
        self.problem_end = tokenizer.encode(layout.problem_end, add_special_tokens=False)
        if not self.separator:
            raise MisstepError(f"the separator {layout.separator!r} has no token, expected one that has")
        self._problems: dict[str, Tokens] = {}
        self._steps: dict[str, Tokens] = {}

    def laid_out(self, separator: str | None, problem_end: str | None) -> StepTokenizer:
        """The same tokenizer with another end of steps and of the problem, where they are given.

        Raises MisstepError for an end that the tokenizer cannot say, or that looks like a token of its own and is none:
        what was mistyped would be read as several plain tokens.
        """
        given = {"separator": separator, "problem_end": problem_end}
        asked = {name: text for name, text in given.items() if text is not None}
        for name, text in asked.items():
            ids = self.tokenizer.encode(text, add_special_tokens=False)
            option = f"--{name.replace('_', '-')} {text!r}"
            if name == "separator" and not ids:
                raise MisstepError(f"{option} has no token of the base, expected one that has")
            if has_unknown(self.tokenizer, text, ids):
                raise MisstepError(
                    f"{option} is unknown to the base's tokenizer, expected a text that it knows"
                )
            if len(ids) > 1 and SPECIAL.fullmatch(text.strip()):
                raise MisstepError(f"{option} has {len(ids)} tokens of the base, expected a token of its own")
        if not asked:
            return self
        ends = {**asdict(self.layout), **asked}
        return StepTokenizer(
            self.tokenizer, replace(self.layout, separator=ends["separator"], problem_end=ends["problem_end"])
        )

    def problem(self, text: str) -> Tokens:
        """The problem's tokens, begun by the base's own begin token where it has one."""
        known = self._problems.get(text)
        return self._learned_problem(text, self._text(text)) if known is None else known

    def step(self, text: str) -> Tokens:
        """One step's tokens, ended by the separator that is read."""
        known = self._steps.get(text)
        return self._learned_step(text, self._text(text)) if known is None else known

    def read_ahead(self, problems: Iterable[str], steps: Iterable[str]) -> None:
        """Tokenise texts that will be asked for, many at once: the tokenizer shares them among its threads. Each text's
        tokens are those that it has alone."""
        for texts, known, learned in (
            (problems, self._problems, self._learned_problem),
            (steps, self._steps, self._learned_step),
        ):
            new = [text for text in dict.fromkeys(texts) if text not in known]
            for text, ids in zip(new, self._texts(new), strict=True):
                learned(text, ids)

    def _learned_problem(self, text: str, ids: list[int]) -> Tokens:
        return remember(self._problems, text, compact(self._as_problem(ids)), PROBLEMS_KEPT)

    def _learned_step(self, text: str, ids: list[int]) -> Tokens:
        return remember(self._steps, text, compact(self._as_step(ids)), STEPS_KEPT)

    def _as_problem(self, ids: list[int]) -> list[int]:
        """A problem's own tokens with what the layout puts around them."""
        begin = self.tokenizer.bos_token_id
        return ([begin] if begin is not None else []) + ids + self.problem_end or self.separator

    def _as_step(self, ids: list[int]) -> list[int]:
        """A step's own tokens with what the layout puts around them."""
        return ids + self.separator

    @property
    def target_ids(self) -> list[int]:
        """The target tokens' ids. Raises MisstepError for a text that is not one known token, or stands twice."""
        # A special token may be a target: no solution gets to spell it.
        encode = self.tokenizer.encode
        found = [list(encode(text, add_special_tokens=False)) for text in self.layout.target_tokens]
        for text, ids in zip(self.layout.target_tokens, found, strict=True):
            if len(ids) != 1 or has_unknown(self.tokenizer, text, ids):
                raise MisstepError(
                    f"the target {text!r} has tokens {ids}, expected a single token of the base"
                )
        if len({ids[0] for ids in found}) != len(found):
            raise MisstepError(
                f"targets {list(self.layout.target_tokens)}, expected a different token for each"
            )
        return [ids[0] for ids in found]

    def _text(self, text: str) -> list[int]:
        """Plain text only: a solution that spells a special token does not get to use it."""
        return list(self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))

    def _texts(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """The same of many texts."""
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            part = list(texts[start : start + TEXTS_AT_ONCE])
            encoded = self.tokenizer(
                part, add_special_tokens=False, split_special_tokens=True,
                return_attention_mask=False, return_token_type_ids=False,
            )  # fmt: skip
            yield from encoded["input_ids"]

    def solution(
        self, name: str, problem: str, steps: Sequence[str], lenient: bool = False
    ) -> tuple[list[Tokens], int]:
        """Tokens of the problem and of each step that fits, and how many steps at the end did not.

        Raises TooLong with the record's name when a step does not fit the context even alone behind the
        problem; with `lenient` (for scoring) such a step ends what fits.
        """
        limit = self.layout.maximum_length
        nodes = [self.problem(problem)]
        if lenient and len(nodes[0]) >= limit:
            return [nodes[0][:limit]], len(steps)
        length = len(nodes[0])
        if not lenient and (found := self.too_long(nodes[0], steps)) is not None:
            raise self.refusal(name, *found)
        for position, text in enumerate(steps):
            step = self.step(text)
            if length + len(step) > limit:
                return nodes, len(steps) - position
            nodes.append(step)
            length += len(step)
        return nodes, 0

    def too_long(self, problem: Tokens, steps: Sequence[str]) -> tuple[int, int] | None:
        """The first step that does not fit the context even alone behind the problem's tokens, and the number of
        both's."""
        for position, text in enumerate(steps):
            length = len(problem) + len(self.step(text))
            if length > self.layout.maximum_length:
                return position, length
        return None

    def refusal(self, name: str, position: int, length: int) -> TooLong:
        """An error that says what `too_long` found in the record of this name."""
        return TooLong(
            f"record {name}: step {position} and the problem have {length} tokens,"
            f" expected at most the context of {self.layout.maximum_length}"
        )

    def fits(self, prefix: Sequence[Sequence[int]], text: str) -> bool:
        """Whether a step still lies within the context behind the nodes of its prefix."""
        return sum(map(len, prefix)) + len(self.step(text)) <= self.layout.maximum_length

    def unknown_share(self, texts: Sequence[str]) -> float:
        """How much of the texts the tokenizer cannot say: unknown tokens among all."""
        unknown, found, count = self.tokenizer.unk_token_id, 0, 0
        if unknown is None:
            return 0.0
        for ids in self._texts(texts):
            found, count = found + ids.count(unknown), count + len(ids)
        return found / max(count, 1)

    def save(self, folder: Path) -> None:
        """Write the tokenizer's own files and the layout."""
        self.tokenizer.save_pretrained(str(folder))
        (folder / "steps.json").write_text(json.dumps(asdict(self.layout), indent=2) + "\n", encoding="utf-8")


def layout_of(said: Any, path: Path) -> Layout:
    """The layout that `steps.json` tells. Raises MisstepError for a name that it does not have, and for an end of steps
    that is no text."""
    names = [field.name for field in fields(Layout)]
    unknown = sorted(set(said) - set(names)) if isinstance(said, dict) else [str(said)[:60]]
    if unknown:
        raise MisstepError(f"{path}: {', '.join(unknown)}, expected some of {', '.join(names)}")
    for name in ("separator", "problem_end"):
        if not isinstance(said.get(name, ""), str):
            raise MisstepError(f"{path}: {name} {said[name]!r}, expected a text")
    return Layout(**said)


def load_step_tokenizer(
    folder: str | Path,
    maximum_length: int | None = None,
    target_tokens: Sequence[str] | None = None,
    tolerance: float | None = None,
    usual_length: int = Layout.maximum_length,
) -> StepTokenizer:
    """The tokenizer of a base or checkpoint; a checkpoint's `steps.json` says how steps were laid out.

    What is given counts instead of what `steps.json` says; with target tokens (also none of them) the whole head
    is given. usual_length: the context where neither says one.
    """
    root = Path(folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(root), trust_remote_code=False)
        path = root / "steps.json"
        said = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        layout = layout_of({"maximum_length": usual_length, **said} if isinstance(said, dict) else said, path)
    except (OSError, ValueError, TypeError) as error:
        raise MisstepError(f"{root}: {error}, expected a folder with a tokenizer") from error
    if maximum_length is not None:
        layout = replace(layout, maximum_length=maximum_length)
    if target_tokens is not None:
        layout = replace(layout, target_tokens=target_tokens, tolerance=tolerance)
    return StepTokenizer(tokenizer, layout)


def pocket_tokenizer(weights: Path | None = None) -> PreTrainedTokenizerFast:
    """The pocket family's words and digits, numbered as the weights of a folder know them where one is given.

    Weights trained under an earlier numbering would read every renumbered word as another one.
    """
    return PreTrainedTokenizerFast(
        tokenizer_object=pocket.load_tokenizer(weights) if weights else pocket.build_tokenizer(),
        bos_token=pocket.BEGIN,
        pad_token=pocket.PAD,
        unk_token=pocket.UNKNOWN,
        additional_special_tokens=list(pocket.SPECIAL),
    )


def pocket_layout(
    maximum_length: int, target_tokens: Sequence[str] = (), tolerance: float | None = None
) -> Layout:
    """The pocket policy's own layout of a prose solution, so that its weights read what they know."""
    return Layout(pocket.STEP, pocket.PROSE, maximum_length, target_tokens, tolerance)


def learned_tokenizer(texts: Iterable[str], vocabulary: int = 2048) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer learned from the texts; digits stand alone, and no text is unknown to it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d|\n"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD)
