"""A local `transformers` causal model as a policy: one cache for a prefix and all its samples, seeded row by
row.

Loaded from a folder, safetensors only, never with code of the folder's own and never with its chat template:
the prompt is ours (`prompts/`). What is drawn for a prefix depends on the seed, the prefix and the draw's
number.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from ml.errors import MisstepError
from ml.file_hash import sha256_of
from ml.policies.prompt import Prompt, known_family, prompt_for
from ml.policies.protocol import Continuation, Prefix, Unanswerable, all_answered
from ml.prm.distributed import chosen_device, refuse_missing_device
from ml.seeds import seed_of

LONGEST_STEP = 300
LONGEST_COMPLETION = 1024
ROWS_AT_ONCE = 64
# How many tokens at a row's end are read as text to look for a stop string.
TAIL = 24


@dataclass(slots=True)
class _Row:
    """One continuation being written. limit: how many tokens it may have."""

    prefix: int
    generator: torch.Generator
    limit: int
    tokens: list[int] = field(default_factory=list)
    log_probability: float = 0.0
    stopped: bool = False
    ended: bool = False


class TransformersPolicy:
    """A causal language model and its tokenizer; see `ml.policies.protocol.Policy` for the two methods."""

    def __init__(self, model: Any, tokenizer: Any, name: str, family: str = "") -> None:
        self.model, self.tokenizer, self.name, self.family = model.eval(), tokenizer, name, family
        self.device = next(model.parameters()).device
        ends = model.generation_config.eos_token_id
        self._ends = {ends} if isinstance(ends, int) else set(ends or ())
        self._longest = int(getattr(model.config, "max_position_embeddings", 4096))

    def next_steps(
        self, prefixes: Sequence[Prefix], count: int, temperature: float, seed: int
    ) -> list[list[Continuation]]:
        """`count` candidate next steps for each prefix, stopped at the step's boundary."""

        def read(prompt: Prompt, row: _Row, text: str) -> Continuation:
            return prompt.one_step(text, len(row.tokens), row.stopped, row.ended)

        return self._write(prefixes, count, temperature, seed, LONGEST_STEP, read, whole=False)

    def complete(
        self, prefixes: Sequence[Prefix], count: int, temperature: float, seed: int
    ) -> list[list[Continuation]]:
        """`count` completions to the end for each prefix."""

        def read(prompt: Prompt, row: _Row, text: str) -> Continuation:
            return prompt.completion(text, len(row.tokens), row.stopped)

        return self._write(prefixes, count, temperature, seed, LONGEST_COMPLETION, read, whole=True)

    def _write(
        self,
        prefixes: Sequence[Prefix],
        count: int,
        temperature: float,
        seed: int,
        limit: int,
        read: Any,
        whole: bool,
    ) -> list[list[Continuation]]:
        texts = [self._fitted_or_refused(prefix, limit) for prefix in prefixes]
        at_once = max(1, ROWS_AT_ONCE // count)
        # Prefixes of like length share a batch, so that little of it is padding.
        fits = {index: text for index, text in enumerate(texts) if not isinstance(text, Unanswerable)}
        written: dict[int, list[Continuation]] = {index: [] for index in fits}
        order = sorted(fits, key=lambda index: len("".join(prefixes[index].steps)))
        for start in range(0, len(order), at_once):
            chosen = order[start : start + at_once]
            prompts = [prompt_for(prefixes[index], self.family) for index in chosen]
            fitted = [fits[index] for index in chosen]
            rows = [
                # Its own room, not its batch's: neighbours with longer prompts do not cut a row short.
                _Row(
                    place,
                    torch.Generator().manual_seed(seed_of(seed, text, draw)),
                    min(limit, self._longest - len(tokens)),
                )
                for place, (text, tokens) in enumerate(fitted)
                for draw in range(count)
            ]
            # One prefix alone may ask for more samples than the memory holds.
            for first in range(0, len(rows), ROWS_AT_ONCE):
                few = rows[first : first + ROWS_AT_ONCE]
                self._sample([tokens for _, tokens in fitted], few, prompts, whole, temperature)
            for row in rows:
                text = self.tokenizer.decode(row.tokens, skip_special_tokens=False)
                continuation = read(prompts[row.prefix], row, self._without_end(text))
                written[chosen[row.prefix]].append(replace(continuation, log_probability=row.log_probability))
        return all_answered(
            [text if isinstance(text, Unanswerable) else written[i] for i, text in enumerate(texts)]
        )

    def _fitted_or_refused(self, prefix: Prefix, limit: int) -> tuple[str, list[int]] | Unanswerable:
        """A prefix as it is read, or why it cannot be: the others of its call can be, all the same."""
        try:
            return self._fitted(prompt_for(prefix, self.family), prefix, limit)
        except Unanswerable as refusal:
            return refusal.with_traceback(None)

    def _fitted(self, prompt: Prompt, prefix: Prefix, limit: int) -> tuple[str, list[int]]:
        """The text to continue and its tokens.

        One that leaves no room for a step loses its oldest steps, with a warning. Raises Unanswerable where the
        bare problem leaves none.
        """
        room = self._longest - min(limit, LONGEST_STEP)
        for dropped in range(len(prefix.steps) + 1):
            text = prompt.render(replace(prefix, steps=prefix.steps[dropped:]))
            tokens: list[int] = self.tokenizer(text)["input_ids"]
            if len(tokens) <= room:
                break
        else:
            raise Unanswerable(
                f"problem {prefix.problem.id!r} has {len(tokens)} tokens in its prompt, expected at most {room}: "
                f"the policy reads {self._longest}, and a step needs some"
            )
        if dropped:
            warnings.warn(
                f"problem {prefix.problem.id!r}: the first {dropped} steps of the prefix do not fit "
                f"the policy's {self._longest} tokens and were left out",
                stacklevel=5,
            )
        return text, tokens

    @torch.inference_mode()
    def _sample(
        self,
        tokens: list[list[int]],
        rows: list[_Row],
        prompts: Sequence[Prompt],
        whole: bool,
        temperature: float,
    ) -> None:
        """Write every row to its stop. The prompts run once; each sample of a prompt starts from its
        cache.
        """
        ids, mask = self._padded(tokens)
        output = self.model(input_ids=ids, attention_mask=mask, position_ids=_positions(mask), use_cache=True)
        owners = torch.tensor([row.prefix for row in rows], device=self.device)
        cache, mask = output.past_key_values, mask[owners]
        cache.batch_select_indices(owners)
        logits, alive = output.logits[:, -1][owners], list(rows)
        while True:
            drawn = self._draw(logits, alive, temperature)
            keep = [
                index for index, row in enumerate(alive) if not self._is_done(row, prompts[row.prefix], whole)
            ]
            if not keep:
                return
            if len(keep) < len(alive):
                kept = torch.tensor(keep, device=self.device)
                alive, drawn, mask = [alive[index] for index in keep], drawn[kept], mask[kept]
                cache.batch_select_indices(kept)
            mask = torch.cat([mask, mask.new_ones(len(alive), 1)], dim=1)
            output = self.model(
                input_ids=drawn.unsqueeze(1),
                attention_mask=mask,
                position_ids=_positions(mask)[:, -1:],
                past_key_values=cache,
                use_cache=True,
            )
            logits = output.logits[:, -1]

    def _padded(self, rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Left-padded token ids and their mask."""
        width = max(len(row) for row in rows)
        ids = torch.zeros((len(rows), width), dtype=torch.long)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for index, row in enumerate(rows):
            ids[index, width - len(row) :] = torch.tensor(row)
            mask[index, width - len(row) :] = 1
        return ids.to(self.device), mask.to(self.device)

    def _draw(self, logits: torch.Tensor, rows: list[_Row], temperature: float) -> torch.Tensor:
        """One token a row, each by one number of the row's own generator; greedy at temperature 0."""
        scores = torch.log_softmax(logits.float(), dim=-1)
        if temperature > 0:
            numbers = [torch.rand((), generator=row.generator, dtype=torch.float64) for row in rows]
            drawn = inverted(scores / temperature, torch.stack(numbers).to(scores.device))
        else:
            drawn = scores.argmax(dim=-1)
        taken = scores.gather(1, drawn.unsqueeze(1)).squeeze(1)
        for row, token, score in zip(rows, drawn.tolist(), taken.tolist(), strict=True):
            row.tokens.append(token)
            row.log_probability += score
        return drawn

    def _is_done(self, row: _Row, prompt: Prompt, whole: bool) -> bool:
        if row.tokens[-1] in self._ends:
            row.ended = row.stopped = True
            return True
        tail = self.tokenizer.decode(row.tokens[-TAIL:], skip_special_tokens=False)
        row.stopped = prompt.end in tail
        # A step does not begin with its separator: white space before the first word stops nothing. Nor does a blank
        # line inside its code, which only the whole text tells.
        if not whole and not row.stopped and prompt.separator.rstrip(" ") in tail.lstrip():
            text = self.tokenizer.decode(row.tokens, skip_special_tokens=False)
            row.stopped = prompt.boundary(text) is not None
        return row.stopped or len(row.tokens) >= row.limit

    def _without_end(self, text: str) -> str:
        for token in self._ends:
            text = text.replace(self.tokenizer.decode([token], skip_special_tokens=False), "")
        return text


def inverted(scores: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """The token of each row at which its cumulative distribution passes the row's number between 0 and 1.

    scores: logits [rows, tokens]. On the scores' own device, and in double precision: a sum over a hundred thousand
    tokens must not depend on the order in which a batch's kernel adds.
    """
    cumulative = torch.softmax(scores.double(), dim=-1).cumsum(dim=-1)
    passed = numbers.unsqueeze(1) * cumulative[:, -1:]
    # What is never drawn adds nothing, so it is passed over; the clamp is for a number that rounds up to 1.
    return torch.searchsorted(cumulative, passed, right=True).squeeze(1).clamp_max(scores.shape[1] - 1)


def _positions(mask: torch.Tensor) -> torch.Tensor:
    """Positions that count a row's own tokens only: left padding does not move it."""
    return (mask.cumsum(dim=1) - 1).clamp_min(0)


def load_transformers_policy(folder: Path) -> TransformersPolicy:
    """The model in a folder; a file `policy.json` there may name a prompt family: {"prompts": "pocket"}.

    Raises MisstepError where the folder holds no causal model in safetensors.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    device = chosen_device("auto")
    refuse_missing_device(device)
    try:
        settings = (
            json.loads((folder / "policy.json").read_text()) if (folder / "policy.json").exists() else {}
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, trust_remote_code=False, use_safetensors=True, dtype="auto"
        )
    except (OSError, ValueError, KeyError) as error:
        raise MisstepError(f"{folder}: {error}, expected a causal model with safetensors weights") from None
    family = known_family(settings.get("prompts", ""))
    return TransformersPolicy(model.to(device), tokenizer, _name(folder, family), family)


def _name(folder: Path, family: str) -> str:
    """The folder's own name, and what tells it from another of that name: its weights and its prompts."""
    # Large weights lie in several files.
    files = [sha256_of(path) for path in sorted(folder.glob("*.safetensors"))]
    digest = hashlib.sha256("".join(files).encode()).hexdigest()[:8]
    return f"{folder.resolve().name}-{digest}" + (f"?prompts={family}" if family else "")
