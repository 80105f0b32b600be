"""Any OpenAI-compatible server as a policy: vLLM, SGLang, llama.cpp, `transformers serve`.

`--policy "http://host:8000/v1?model=NAME&prompts=FAMILY&concurrency=32&max_tokens=1024&stop=yes"`; every part
after the address is optional, and an API key is read from MISSTEP_POLICY_KEY (never from an argument, which
others could see in the list of processes). Only the completions endpoint is used: the prompt is ours, no chat
template is run.
"""

from __future__ import annotations

import math
import urllib.parse
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from ml.errors import MisstepError
from ml.policies.address import refuse_malformed
from ml.policies.context_length import ask_within_context, is_about_context
from ml.policies.openai_client import Client, OddAnswer, Refused, shown
from ml.policies.prompt import Prompt, prompt_for
from ml.policies.protocol import Continuation, Prefix, Unanswerable, all_answered
from ml.policies.refusals import Refusals, is_of_one_request
from ml.seeds import seed_of

LONGEST_STEP = 400
# A problem that no server has a reason to refuse.
PLAIN = "1 + 1 ="
# How a server says that it does not write so many texts in one request.
_TOO_MANY = frozenset({400, 422})
# Where vLLM and SGLang say what stopped a text.
_STOPPED_BY = ("stop_reason", "matched_stop")
# How a server says that it gave up on a text: then the text is no draw.
_GIVEN_UP = frozenset({"abort", "error"})
_OPTIONS = {"model", "prompts", "concurrency", "max_tokens", "timeout", "stop"}


@dataclass(frozen=True, slots=True)
class _Choice:
    """One text a server wrote. stopped: at a stop string or by itself. stop: what the server says stopped it, None
    or a token's number where the model ended by itself; only where it `tells`, as vLLM and SGLang do.
    """

    text: str
    tokens: int
    stopped: bool
    tells: bool
    stop: object

    def ended_by(self, end: str) -> bool:
        """Whether the solution ended here: by the mark that ends solutions, or by itself.

        A server that does not tell drops the mark: then a text without a word stopped at it.
        """
        if not self.stopped:
            return False
        if not self.tells:
            return not self.text.strip()
        return self.stop is None or isinstance(self.stop, int) or self.stop == end


class ServerPolicy:
    """A policy at an address; see the module for the address's options. has_answered: an earlier start of the same run
    was served there.
    """

    def __init__(self, address: str, retry_seconds: float = 0.5, has_answered: bool = False) -> None:
        refuse_malformed(address)
        parts = urllib.parse.urlsplit(address)
        options = dict(urllib.parse.parse_qsl(parts.query))
        unknown = sorted(set(options) - _OPTIONS)
        if unknown:
            raise MisstepError(
                f"{address}: options {', '.join(unknown)}, expected {', '.join(sorted(_OPTIONS))}"
            )
        self.address = urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        self.family = options.get("prompts", "")
        try:
            self.concurrency = int(options.get("concurrency", 32))
            self.max_tokens = int(options.get("max_tokens", 1024))
            timeout = float(options.get("timeout", 300))
        except ValueError as error:
            raise MisstepError(f"{address}: {error}, expected numbers") from None
        # Some servers fail at stop strings with some tokenizers; then texts are cut here, and more is paid
        # for.
        self.use_stop = options.get("stop", "yes") != "no"
        is_local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        self._client = Client(self.address, is_local, timeout, retry_seconds, has_answered)
        # The smallest number of texts that the server does not write in one request, by temperature.
        self._too_many: dict[float, int] = {}
        self._refusals = Refusals()
        # Whether a token that was counted was estimated; kept with the run.
        self.estimates_tokens = False
        self.model = options.get("model") or self._first_model()
        self.name = self._name(parts)

    def on_first_answer(self, call: Callable[[], None]) -> None:
        """Call when the server has answered anything; at once where it did already."""
        self._client.on_first_answer(call)

    def next_steps(
        self, prefixes: Sequence[Prefix], count: int, temperature: float, seed: int
    ) -> list[list[Continuation]]:
        """`count` candidate next steps for each prefix, stopped at the step's boundary."""

        def read(prompt: Prompt, choice: _Choice) -> Continuation:
            return prompt.one_step(choice.text, choice.tokens, choice.stopped, choice.ended_by(prompt.end))

        limit = min(self.max_tokens, LONGEST_STEP)
        return self._ask_all(prefixes, count, temperature, seed, limit, read, whole=False)

    def complete(
        self, prefixes: Sequence[Prefix], count: int, temperature: float, seed: int
    ) -> list[list[Continuation]]:
        """`count` completions to the end for each prefix."""

        def read(prompt: Prompt, choice: _Choice) -> Continuation:
            return prompt.completion(choice.text, choice.tokens, choice.stopped)

        return self._ask_all(prefixes, count, temperature, seed, self.max_tokens, read, whole=True)

    def _ask_all(
        self,
        prefixes: Sequence[Prefix],
        count: int,
        temperature: float,
        seed: int,
        limit: int,
        read: Any,
        whole: bool,
    ) -> list[list[Continuation]]:
        # What is left of the concurrency for each prefix, where its texts must be asked for one by one.
        at_once = max(1, self.concurrency // max(1, len(prefixes)))

        def ask(prefix: Prefix) -> list[Continuation] | Unanswerable | Refused:
            prompt = prompt_for(prefix, self.family)
            own_seed = seed_of(seed, prefix.problem.text, prefix.style, *prefix.steps)

            def write(read_prefix: Prefix, max_tokens: int) -> list[_Choice]:
                body = {
                    "model": self.model,
                    "prompt": prompt.render(read_prefix),
                    "temperature": temperature,
                    "max_tokens": max_tokens,
                }
                if self.use_stop:
                    body["stop"] = [prompt.end] if whole else [prompt.separator, prompt.end]
                return self._choices(body, count, own_seed, at_once)

            try:
                choices = ask_within_context(write, prefix, limit, min(limit, LONGEST_STEP))
            except Unanswerable as refusal:
                return refusal.with_traceback(None)
            except Refused as refusal:
                if not is_of_one_request(refusal):
                    raise
                return refusal.with_traceback(None)
            return [read(prompt, choice) for choice in choices]

        if not prefixes:
            return []
        with ThreadPoolExecutor(min(self.concurrency, len(prefixes))) as pool:
            answers = list(pool.map(ask, prefixes))
        # The same in all but the words, so that a setting which the server does not take is refused here, too.
        plain = replace(prefixes[0], problem=replace(prefixes[0].problem, text=PLAIN), steps=())
        return all_answered(self._refusals.settle(prefixes, answers, lambda: isinstance(ask(plain), list)))

    def _choices(self, body: dict[str, Any], count: int, seed: int, at_once: int) -> list[_Choice]:
        """`count` texts: in one request where the server can, and those that it left out one by one."""
        found = self._first_choices(body | {"seed": seed % 2**31}, count)

        def ask(index: int) -> _Choice:
            one = body | {"seed": seed_of(seed, index) % 2**31}
            return self._client.post("completions", one, self._read_choices)[0]

        # A server that ignores `n` (transformers serve does) answers with the first text alone. Nothing is
        # remembered of a short answer: what is drawn for a prefix would depend on what happened before it.
        missing = range(len(found), count)
        if not missing:
            return found
        with ThreadPoolExecutor(min(at_once, len(missing))) as pool:
            return found + list(pool.map(ask, missing))

    def _first_choices(self, body: dict[str, Any], count: int) -> list[_Choice]:
        """As many of `count` texts as the server writes in one request, at least one.

        Some refuse more than so many (llama.cpp its slots, vLLM one at temperature 0). That is remembered for
        as many and more at this temperature: these would be refused again, so no draw depends on it.
        """
        temperature = body["temperature"]
        known = self._too_many.get(temperature)
        if known is not None and count >= known:
            return self._client.post("completions", body | {"n": 1}, self._read_choices)[:1]
        try:
            return self._client.post("completions", body | {"n": count}, self._read_choices)[:count]
        except Refused as refusal:
            if count == 1 or refusal.status not in _TOO_MANY or is_about_context(refusal):
                raise
            first = self._client.post("completions", body | {"n": 1}, self._read_choices)[:1]
            self._too_many[temperature] = count
            if known is None:
                warnings.warn(f"texts are asked for one by one: {refusal}", stacklevel=2)
            return first

    def _read_choices(self, answer: dict[str, Any]) -> list[_Choice]:
        """The texts of a completions answer, at least one; the usage of several is shared out by length."""
        choices = _choices_of(answer)
        texts = [choice["text"] or "" for choice in choices]
        total = _tokens_of(answer)
        if total is None or (not total and any(texts)):
            self._tell_of_estimates()
            shares = [_estimated_tokens(text) for text in texts]
        else:
            shares = _share(total, [len(text) for text in texts])
        return [_choice(choice, tokens) for choice, tokens in zip(choices, shares, strict=True)]

    def _tell_of_estimates(self) -> None:
        if not self.estimates_tokens:
            self.estimates_tokens = True
            warnings.warn(
                f"{self.address} does not say how many tokens it wrote: a quarter of a text's bytes is counted",
                stacklevel=2,
            )

    def _name(self, parts: urllib.parse.SplitResult) -> str:
        """The address with all options that change what is written."""
        options = {"model": self.model, "prompts": self.family, "max_tokens": str(self.max_tokens)}
        options |= {} if self.use_stop else {"stop": "no"}
        query = urllib.parse.urlencode({name: said for name, said in options.items() if said}, safe="/:")
        return urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), query, ""))

    def _first_model(self) -> str:
        names = self._client.get("models", _read_names)
        if not names:
            raise MisstepError(f"{self.address}/models lists no model, expected one, or ?model=NAME")
        return names[0]


def _read_names(answer: dict[str, Any]) -> list[str]:
    """The names in a list of models."""
    listed = answer.get("data")
    if not isinstance(listed, list):
        raise OddAnswer(f"answered without a list of models: {shown(answer)}")
    return [str(entry["id"]) for entry in listed if isinstance(entry, dict) and entry.get("id")]


def _choices_of(answer: dict[str, Any]) -> list[dict[str, Any]]:
    listed = answer.get("choices")
    choices = [choice for choice in listed if _is_choice(choice)] if isinstance(listed, list) else []
    if not choices:
        raise OddAnswer(f"answered without a text: {shown(answer)}")
    return choices


def _choice(choice: dict[str, Any], tokens: int) -> _Choice:
    return _Choice(
        choice["text"] or "",
        tokens,
        choice.get("finish_reason") == "stop",
        any(key in choice for key in _STOPPED_BY),
        next((choice[key] for key in _STOPPED_BY if choice.get(key) is not None), None),
    )


def _is_choice(choice: Any) -> bool:
    """Whether this is a whole text; null stands for none at all, as where the model ended at once."""
    if not isinstance(choice, dict) or "text" not in choice or choice.get("finish_reason") in _GIVEN_UP:
        return False
    return choice["text"] is None or isinstance(choice["text"], str)


def _tokens_of(answer: dict[str, Any]) -> int | None:
    """What the server says that it wrote; None where it does not."""
    usage = answer.get("usage")
    total = usage.get("completion_tokens") if isinstance(usage, dict) else None
    return total if isinstance(total, int) and total >= 0 else None


def _estimated_tokens(text: str) -> int:
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / 4)


def _share(total: int, weights: Sequence[int]) -> list[int]:
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
