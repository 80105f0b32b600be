"""A local `transformers` causal model as a policy: a prefix is read once for all its samples and for the prefixes that
go on from it; seeded row by row.

Loaded from a folder, safetensors only, never with code of the folder's own and never with its chat template:
the prompt is ours (`prompts/`). What is drawn for a prefix depends on the seed, the prefix and the draw's
number.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch

from ml.devices import chosen_device, refuse_missing_device
from ml.errors import MisstepError
from ml.file_hash import sha256_of
from ml.policies.model_folder import ModelFolder, refuse_lacking
from ml.policies.prompt import Prompt, known_family, prompt_for, told_of_family
from ml.policies.protocol import Continuation, Prefix, Unanswerable, all_answered
from ml.policies.transformers_draws import inverted, likeliest
from ml.policies.transformers_prefixes import KeptPrefixes, may_be_read_in_parts, text_config
from ml.policies.transformers_reading import begun
from ml.policies.transformers_rows import Batch, Row
from ml.seeds import seed_of

USUAL = ModelFolder(Path())
# How many tokens at a row's end are read as text to look for a stop string.
TAIL = 24


@dataclass(frozen=True, slots=True)
class _Asked:
    """Rows that go on from one prompt's tokens and begin together."""

    tokens: list[int]
    rows: list[Row]


class TransformersPolicy:
    """A causal language model and its tokenizer; see `ml.policies.protocol.Policy` for the two methods.

    options: see `ModelFolder`.
    """

    limit_options: ClassVar[Mapping[str, str]] = {"completions": "max_tokens", "steps": "max_step_tokens"}

    def __init__(
        self, model: Any, tokenizer: Any, name: str, family: str = "", options: ModelFolder = USUAL
    ) -> None:
        self.model, self.tokenizer, self.name, self.family = model.eval(), tokenizer, name, family
        self.rows_at_once, self.top_p = options.rows, options.top_p
        self.max_tokens, self.max_step_tokens = options.max_tokens, options.max_step_tokens
        self.prefixes = KeptPrefixes(options.bytes_kept if may_be_read_in_parts(model.config) else 0)
        ends = model.generation_config.eos_token_id
        self._ends = {ends} if isinstance(ends, int) else set(ends or ())
        self._longest = int(getattr(text_config(model.config), "max_position_embeddings", None) or 4096)
        if self.max_step_tokens >= self._longest:
            found = f"{name}: max_step_tokens {self.max_step_tokens}"
            raise MisstepError(f"{found}, expected fewer than the model reads, {self._longest}")

    @property
    def prompt_tokens(self) -> dict[str, int]:
        """How many tokens of prompts were read, and how many were reused from earlier readings; kept with the run."""
        return {"read": self.prefixes.read, "reused": self.prefixes.reused}

    def next_steps(
        self, prefixes: Sequence[Prefix], count: int, temperature: float, seed: int
    ) -> list[list[Continuation]]:
        """`count` candidate next steps for each prefix, stopped at the step's boundary."""

        def read(prompt: Prompt, row: Row, text: str) -> Continuation:
            return prompt.one_step(text, len(row.tokens), row.stopped, row.ended)

        return self._write(prefixes, count, temperature, seed, self.max_step_tokens, read, whole=False)

    def complete(
        self, prefixes: Sequence[Prefix], count: int, temperature: float, seed: int
    ) -> list[list[Continuation]]:
        """`count` completions to the end for each prefix."""

        def read(prompt: Prompt, row: Row, text: str) -> Continuation:
            return prompt.completion(text, len(row.tokens), row.stopped)

        return self._write(prefixes, count, temperature, seed, self.max_tokens, read, whole=True)

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
        fits = {index: text for index, text in enumerate(texts) if not isinstance(text, Unanswerable)}
        prompts = {index: prompt_for(prefixes[index], self.family) for index in fits}
        # Its own room, not its batch's: neighbours with longer prompts do not cut a row short.
        rows = {
            index: [
                Row(
                    index,
                    torch.Generator().manual_seed(seed_of(seed, text, draw)),
                    min(limit, self._longest - len(tokens)),
                )
                for draw in range(count)
            ]
            for index, (text, tokens) in fits.items()
        }
        # Prefixes of like length are neighbours, so that little of a batch is padding. Many samples of one prefix
        # begin a part at a time, so that each part finds room before all of a batch has ended.
        part = self._least_room
        order = sorted(fits, key=lambda index: len("".join(prefixes[index].steps)))
        waiting = deque(
            _Asked(fits[index][1], rows[index][first : first + part])
            for index in order
            for first in range(0, count, part)
        )
        self._sample(waiting, prompts, whole, temperature)
        for index in fits:
            if any(row.limit < limit and not row.stopped for row in rows[index]):
                self._tell_cut_off(prefixes[index], limit, rows[index][0].limit)
        written = {
            index: [self._continuation(prompts[index], row, read) for row in rows[index]] for index in fits
        }
        return all_answered(
            [text if isinstance(text, Unanswerable) else written[i] for i, text in enumerate(texts)]
        )

    def _continuation(self, prompt: Prompt, row: Row, read: Any) -> Continuation:
        text = self.tokenizer.decode(row.tokens, skip_special_tokens=False)
        continuation: Continuation = read(prompt, row, self._without_end(text))
        return replace(continuation, log_probability=row.log_probability)

    def _tell_cut_off(self, prefix: Prefix, limit: int, room: int) -> None:
        warnings.warn(
            f"problem {prefix.problem.id!r}: {limit} tokens do not fit the policy's {self._longest} behind the "
            f"prefix, and {room} were too few for a text",
            stacklevel=5,
        )

    @property
    def _least_room(self) -> int:
        """How much of a batch must be free before others join: each time, the cache of all is copied."""
        return max(1, self.rows_at_once // 4)

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
        room = self._longest - min(limit, self.max_step_tokens)
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
        self, waiting: deque[_Asked], prompts: Mapping[int, Prompt], whole: bool, temperature: float
    ) -> None:
        """Write every row to its stop; as some end, others take their place."""
        batch: Batch | None = None
        while waiting or batch is not None:
            batch = self._filled(batch, waiting)
            drawn = self._draw(batch.logits, batch.rows, temperature)
            keep = [
                place
                for place, row in enumerate(batch.rows)
                if not self._is_done(row, prompts[row.prefix], whole)
            ]
            if not keep:
                batch = None
                continue
            batch.keep(keep)
            batch.read(drawn[torch.tensor(keep, device=drawn.device)])

    def _filled(self, batch: Batch | None, waiting: deque[_Asked]) -> Batch:
        """The batch with those who wait, as far as there is room; one that none can join goes on alone to its end."""
        room = self.rows_at_once - (len(batch.rows) if batch is not None else 0)
        if batch is not None and (room < self._least_room or not batch.may_be_joined):
            return batch
        asked: list[_Asked] = []
        while waiting and (room >= len(waiting[0].rows)):
            room -= len(waiting[0].rows)
            asked.append(waiting.popleft())
        if batch is not None and not asked:
            return batch
        rows = [row for one in asked for row in one.rows]
        # Parts of one prefix that begin together share its reading.
        tokens = {one.rows[0].prefix: one.tokens for one in asked}
        places = {prefix: place for place, prefix in enumerate(tokens)}
        owners = [places[row.prefix] for row in rows]
        joining = begun(self.model, list(tokens.values()), rows, owners, self.prefixes)
        if batch is None:
            return joining
        batch.join(joining)
        return batch

    def _draw(self, logits: torch.Tensor, rows: list[Row], temperature: float) -> torch.Tensor:
        """One token a row, each by one number of the row's own generator; greedy at temperature 0."""
        scores = torch.log_softmax(logits.float(), dim=-1)
        if temperature > 0:
            numbers = [torch.rand((), generator=row.generator, dtype=torch.float64) for row in rows]
            drawn = inverted(
                likeliest(scores / temperature, self.top_p), torch.stack(numbers).to(scores.device)
            )
        else:
            drawn = scores.argmax(dim=-1)
        taken = scores.gather(1, drawn.unsqueeze(1)).squeeze(1)
        for row, token, score in zip(rows, drawn.tolist(), taken.tolist(), strict=True):
            row.tokens.append(token)
            row.log_probability += score
        return drawn

    def _is_done(self, row: Row, prompt: Prompt, whole: bool) -> bool:
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


def load_transformers_policy(local: ModelFolder) -> TransformersPolicy:
    """The model in a folder; a file `policy.json` there may name a prompt family: {"prompts": "pocket"}.

    Raises MisstepError where the folder holds no whole causal model in safetensors.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = local.path
    device = chosen_device("auto")
    refuse_missing_device(device)
    try:
        settings = (
            json.loads((folder / "policy.json").read_text()) if (folder / "policy.json").exists() else {}
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        opened: Any = AutoModelForCausalLM.from_pretrained(
            folder, trust_remote_code=False, use_safetensors=True, dtype="auto", output_loading_info=True
        )
    except (OSError, ValueError, KeyError) as error:
        raise MisstepError(f"{folder}: {error}, expected a causal model with safetensors weights") from None
    model, found = opened
    lacking = dict(model.named_parameters()).keys() & found["missing_keys"]
    refuse_lacking(folder, lacking, "a whole language model")
    family = known_family(settings.get("prompts", ""))
    return TransformersPolicy(model.to(device), tokenizer, _name(local, family), family, local)


def _name(local: ModelFolder, family: str) -> str:
    """The folder's own name, and what tells it from another of that name: its weights, prompts and options."""
    # Large weights lie in several files.
    files = [sha256_of(path) for path in sorted(local.path.glob("*.safetensors"))]
    digest = hashlib.sha256("".join(files).encode()).hexdigest()[:8]
    options = {**told_of_family(family), **local.said()}
    said = "&".join(f"{name}={value}" for name, value in options.items())
    return f"{local.path.resolve().name}-{digest}" + (f"?{said}" if said else "")
