"""What a completions answer holds: its texts, how each of them ended, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ml.policies.openai_faults import OddAnswer, shown

# Where vLLM and SGLang say what stopped a text.
_STOPPED_BY = ("stop_reason", "matched_stop")


class End(StrEnum):
    """How a text ended: at a stop string or by itself, at its longest, or so that it is no draw of the model."""

    WHOLE = "whole"
    CUT_OFF = "cut off"
    LOST = "lost"


# OpenAI, vLLM, SGLang, llama.cpp and transformers say "stop" and "length". The others are of TGI (eos_token,
# stop_sequence), llama.cpp's own endpoint (eos, word, limit), Together (eos), Mistral (model_length), Cohere
# (complete), Gemini (MAX_TOKENS) and Anthropic (end_turn, max_tokens), as gateways pass them on.
_ENDS = {
    **dict.fromkeys(("stop", "eos", "eos_token", "stop_sequence", "stop_string"), End.WHOLE),
    **dict.fromkeys(("end_turn", "word", "complete"), End.WHOLE),
    **dict.fromkeys(("length", "max_tokens", "max_length", "max_output_tokens", "limit"), End.CUT_OFF),
    **dict.fromkeys(("model_length", "model_context_window_exceeded"), End.CUT_OFF),
}
# How a server says that it gave up on a text: the next try may bring one.
_GIVEN_UP = frozenset({"abort", "error", "cancelled", "insufficient_system_resource"})


@dataclass(frozen=True, slots=True)
class Choice:
    """One text a server wrote. reason: the server's word for its end. stop: what the server says stopped it, None
    or a token's number where the model ended by itself; only where it `tells`, as vLLM and SGLang do.
    """

    text: str
    tokens: int
    end: End
    reason: str
    tells: bool
    stop: object

    @property
    def stopped(self) -> bool:
        """Whether it ended at a stop string or by itself."""
        return self.end is End.WHOLE

    def ended_by(self, end: str) -> bool:
        """Whether the solution ended here: by the mark that ends solutions, or by itself.

        A server that does not tell drops the mark: then a text without a word stopped at it.
        """
        if not self.stopped:
            return False
        if not self.tells:
            return not self.text.strip()
        return self.stop is None or isinstance(self.stop, int) or self.stop == end


def choices_of(answer: dict[str, Any], limit: int) -> tuple[list[Choice], bool]:
    """The texts of a completions answer, at least one, and whether the server counted their tokens; the usage of
    several is shared out by length. limit: how many tokens a text could have. Raises OddAnswer where there is none.
    """
    listed = answer.get("choices")
    choices = [choice for choice in listed if _is_choice(choice)] if isinstance(listed, list) else []
    if not choices:
        raise OddAnswer(f"answered without a text: {shown(answer)}")
    texts = [choice["text"] or "" for choice in choices]
    total = _tokens_of(answer)
    is_counted = total is not None and (total > 0 or not any(texts))
    if total is not None and is_counted:
        shares = share(total, [len(text) for text in texts])
    else:
        shares = [_estimated_tokens(text) for text in texts]
    read = [_choice(choice, tokens, limit) for choice, tokens in zip(choices, shares, strict=True)]
    return read, is_counted


def share(total: int, weights: Sequence[int]) -> list[int]:
    """Whole parts of `total` in proportion to the weights, that sum to it."""
    shares, given, seen, weight = [], 0, 0, sum(weights) or 1
    for part in weights:
        seen += part
        upto = round(total * seen / weight)
        shares.append(upto - given)
        given = upto
    if shares:
        shares[-1] += total - given
    return shares


def _choice(choice: dict[str, Any], tokens: int, limit: int) -> Choice:
    reason = _reason_of(choice)
    # Where nothing is said, a text that is shorter than it could be has ended by itself.
    unsaid = End.WHOLE if tokens < limit else End.CUT_OFF
    end = _ENDS.get(reason, End.LOST) if reason else unsaid
    return Choice(
        choice["text"] or "",
        tokens,
        end,
        reason,
        any(key in choice for key in _STOPPED_BY),
        next((choice[key] for key in _STOPPED_BY if choice.get(key) is not None), None),
    )


def _reason_of(choice: dict[str, Any]) -> str:
    """The word for how a text ended, as one writes it in one way; empty where the server says nothing."""
    reason = choice.get("finish_reason")
    return "" if reason is None else str(reason).strip().lower().replace("-", "_")


def _is_choice(choice: Any) -> bool:
    """Whether this is a whole text; null stands for none at all, as where the model ended at once."""
    if not isinstance(choice, dict) or "text" not in choice or _reason_of(choice) in _GIVEN_UP:
        return False
    return choice["text"] is None or isinstance(choice["text"], str)


def _tokens_of(answer: dict[str, Any]) -> int | None:
    """What the server says that it wrote; None where it does not."""
    usage = answer.get("usage")
    total = usage.get("completion_tokens") if isinstance(usage, dict) else None
    return total if isinstance(total, int) and total >= 0 else None


def _estimated_tokens(text: str) -> int:
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / 4)
