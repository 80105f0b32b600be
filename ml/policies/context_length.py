"""A server that says that a request is beyond its context: less is asked for, then the oldest steps are left out.

The same order as that of the local policies. How many tokens a prompt has only the server knows, so it is asked.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from ml.policies.openai_faults import Refused
from ml.policies.protocol import Prefix, Unanswerable

Answer = TypeVar("Answer")

_STATUSES = frozenset({400, 413, 422})
# vLLM, SGLang, llama.cpp; TGI; TensorRT-LLM.
_CONTEXT = re.compile(
    r"context[ _](?:length|size|window)|maximum model length|max_model_len"
    r"|`inputs` (?:tokens \+|must have)"
    r"|max_seq_len|max_num_tokens",
    re.IGNORECASE,
)
_LONGEST = re.compile(
    r"(?:context (?:length|size|window)\D{0,30}?|model length\D{0,30}?"
    r"|`max_new_tokens` must be <= |(?:max_seq_len|max_num_tokens) \()(\d+)",
    re.IGNORECASE,
)
_PROMPT = re.compile(
    r"(?P<before>\d+)\s+(?:tokens?\s+)?"
    r"(?:in the messages|in the prompt|in your prompt|input tokens|from the input|`inputs` tokens)"
    r"|prompt length \((?P<behind>\d+)",
    re.IGNORECASE,
)


def ask_within_context(
    ask: Callable[[Prefix, int], Answer], prefix: Prefix, limit: int, least: int
) -> Answer:
    """What `ask` answers for the prefix and at most `limit` tokens, or for less where that is too long.

    The limit is lowered down to `least`, then the oldest steps go one by one, with a warning each. Raises
    Unanswerable where the bare problem leaves no room either.
    """
    room, dropped = limit, 0
    while True:
        try:
            answer = ask(replace(prefix, steps=prefix.steps[dropped:]), room)
            break
        except Refused as refusal:
            if not is_about_context(refusal):
                raise
            if room > least:
                room = _lowered(refusal.said, room, least)
            elif dropped < len(prefix.steps):
                dropped += 1
            else:
                found = f"problem {prefix.problem.id!r} leaves no room in the policy's context: {refusal}"
                raise Unanswerable(found) from None
    _warn(prefix, limit, room, dropped)
    return answer


def is_about_context(refusal: Refused) -> bool:
    """Whether the server says that a request is too long for it."""
    return refusal.status in _STATUSES and _CONTEXT.search(refusal.said) is not None


def _lowered(said: str, room: int, least: int) -> int:
    """The room that the server's own numbers leave, else three quarters of what was asked for."""
    longest, prompt = _LONGEST.search(said), _PROMPT.search(said)
    left = int(longest[1]) - int(prompt["before"] or prompt["behind"]) if longest and prompt else room
    # Numbers that are read wrongly must not ask for the same once more.
    return max(least, left if left < room else room * 3 // 4)


def _warn(prefix: Prefix, limit: int, room: int, dropped: int) -> None:
    if room < limit:
        warnings.warn(
            f"problem {prefix.problem.id!r}: {limit} tokens do not fit the server's context behind the prefix, "
            f"{room} were asked for",
            stacklevel=3,
        )
    if dropped:
        warnings.warn(
            f"problem {prefix.problem.id!r}: the first {dropped} steps of the prefix do not fit the server's "
            "context and were left out",
            stacklevel=3,
        )
