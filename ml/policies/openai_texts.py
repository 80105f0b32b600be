"""The texts for one prefix from a policy's servers: in one request where they can, else one by one."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from ml.policies.choices import Choice, End, choices_of
from ml.policies.context_length import is_about_context
from ml.policies.openai_client import Client
from ml.policies.openai_faults import Late, NoAnswer, OddlyAnswered, Refused, Unserved
from ml.policies.prompt import Prompt
from ml.seeds import seed_of

# A problem that no server has a reason to refuse.
PLAIN = "1 + 1 ="
# How many tokens are asked for where only it matters whether anything comes.
FEW_TOKENS = 16
# How a server says that it does not write so many texts in one request, or does not know a field of it.
_OF_FIELDS = frozenset({400, 422})
# A model that writes so many blank lines in a row inside a code fence has lost its way.
MOST_BLANK = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's body, and of which problem it is: all of one go to the same server."""

    problem: str
    body: dict[str, Any]

    def having(self, **changed: Any) -> Asked:
        return Asked(self.problem, self.body | changed)


class Texts:
    """Asks the servers behind a client, never for more at once than the concurrency.

    sampler: fields of the request that were asked for. uses_stop: whether texts stop at their boundaries there.
    """

    def __init__(self, client: Client, concurrency: int, sampler: dict[str, float], uses_stop: bool) -> None:
        self._client, self._uses_stop = client, uses_stop
        # Without it a server takes what stands beside its model's weights.
        self._sampler = {"top_p": 1.0} | sampler
        self._may_drop_top_p = "top_p" not in sampler
        # The smallest number of texts that the server does not write in one request, by temperature.
        self._too_many: dict[float, int] = {}
        # All requests of all calls keep to the concurrency; whoever waits for a slot holds none.
        self._slots = threading.BoundedSemaphore(concurrency)
        self._threads = ThreadPoolExecutor(concurrency, "texts")
        self._telling = threading.Lock()
        self._told: set[str] = set()
        # Whether a token that was counted was estimated; kept with the run.
        self.estimates_tokens = False

    def choices(self, asked: Asked, count: int, seed: int) -> list[Choice]:
        """`count` texts: in one request where the server can, and those that it left out one by one."""
        found = self._first_choices(asked.having(seed=seed % 2**31), count)

        def ask(index: int) -> Choice:
            return self._post(asked.having(seed=seed_of(seed, index) % 2**31))[0]

        # A server that ignores `n` (transformers serve does) answers with the first text alone. Nothing is
        # remembered of a short answer: what is drawn for a prefix would depend on what happened before it.
        return found + self._side_by_side(ask, range(len(found), count))

    def with_whole_code(
        self, asked: Asked, prompt: Prompt, choices: Sequence[Choice], seed: int
    ) -> list[Choice]:
        """Texts that stopped at a blank line inside a code fence go on to the end of their step."""
        open_ones = [index for index, choice in enumerate(choices) if self._stopped_in_code(prompt, choice)]

        def go_on(index: int) -> Choice:
            return self._go_on(asked, prompt, choices[index], seed_of(seed, "goes on", index))

        whole = dict(zip(open_ones, self._side_by_side(go_on, open_ones), strict=True))
        return [whole.get(index, choice) for index, choice in enumerate(choices)]

    def _side_by_side(self, ask: Callable[[int], Choice], indices: Sequence[int]) -> list[Choice]:
        """Ask for each; where one fails, those that have not begun are left."""
        futures = [self._threads.submit(ask, index) for index in indices]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise

    def _first_choices(self, asked: Asked, count: int) -> list[Choice]:
        """As many of `count` texts as the server writes in one request, at least one.

        Some refuse more than so many (llama.cpp its slots, vLLM one at temperature 0). That is remembered for
        as many and more at this temperature: these would be refused again, so no draw depends on it.
        """
        temperature = asked.body["temperature"]
        known = self._too_many.get(temperature)
        if known is not None and count >= known:
            return self._post(asked.having(n=1))[:1]
        try:
            return self._post(asked.having(n=count))[:count]
        except Refused as refusal:
            if count == 1 or refusal.status not in _OF_FIELDS or is_about_context(refusal):
                raise
            first = self._post(asked.having(n=1))[:1]
            self._too_many[temperature] = min(count, self._too_many.get(temperature, count))
            self._tell_once(f"too many at {temperature}", f"texts are asked for one by one: {refusal}")
            return first

    def _stopped_in_code(self, prompt: Prompt, choice: Choice) -> bool:
        is_at_separator = not choice.tells or choice.stop == prompt.separator
        if not (self._uses_stop and choice.stopped and is_at_separator) or prompt.end in choice.text:
            return False
        return prompt.is_inside_code(choice.text)

    def _go_on(self, asked: Asked, prompt: Prompt, choice: Choice, seed: int) -> Choice:
        """One text with what follows it, asked for until its fence is closed or its tokens are spent."""
        limit, blank, written = asked.body["max_tokens"], 0, choice.text
        while self._stopped_in_code(prompt, choice):
            if choice.tokens >= limit or blank >= MOST_BLANK:
                return replace(choice, end=End.CUT_OFF)
            # Few servers keep the stop string.
            text = choice.text + ("" if written.endswith(prompt.separator) else prompt.separator)
            rest = {"prompt": asked.body["prompt"] + text, "max_tokens": limit - choice.tokens}
            try:
                added = self._post(asked.having(**rest, n=1, seed=seed_of(seed, len(text)) % 2**31))[0]
            except Refused as refusal:
                # The text has filled the context. Raised, it would have the whole prefix asked for again, with less.
                if not is_about_context(refusal):
                    raise
                return replace(choice, end=End.CUT_OFF)
            written, blank = added.text, 0 if added.text.strip() else blank + 1
            # A stop string is some tokens too, whatever the server counts.
            tokens = choice.tokens + max(1, added.tokens)
            choice = replace(added, text=text + added.text, tokens=tokens)
        return choice

    def _post(self, asked: Asked) -> list[Choice]:
        """The texts of one request, which waits for a slot of the concurrency. Raises Unserved where only this one
        fails: once more than the client's tries, between two answers to a plain request.
        """
        with self._slots:
            try:
                return self._sampled(asked)
            except (NoAnswer, OddlyAnswered) as failure:
                if not self._answers_plainly(asked):
                    raise
                try:
                    return self._sampled(asked, tries=1)
                except (NoAnswer, OddlyAnswered) as again:
                    if not self._answers_plainly(asked):
                        raise
                    raise Unserved(f"{failure}; others are answered", isinstance(again, Late)) from None

    def _answers_plainly(self, asked: Asked) -> bool:
        plain = asked.having(prompt=PLAIN, n=1, max_tokens=min(FEW_TOKENS, asked.body["max_tokens"]))
        try:
            return bool(self._sampled(plain, tries=1))
        except (NoAnswer, OddlyAnswered):
            return False

    def _sampled(self, asked: Asked, tries: int | None = None) -> list[Choice]:
        """The texts, drawn as the sampler says. A server that does not know the field that only states what was meant
        all along is asked without it.
        """
        try:
            return self._written(asked.having(**self._sampler), tries)
        except Refused as refusal:
            is_of_top_p = refusal.status in _OF_FIELDS and re.search(r"\btop_p\b", refusal.said)
            if not (is_of_top_p and self._may_drop_top_p) or is_about_context(refusal):
                raise
            sampler = {name: value for name, value in self._sampler.items() if name != "top_p"}
            texts = self._written(asked.having(**sampler), tries)
            self._sampler = sampler
            self._tell_once("top_p", f"top_p is left to the server, which does not take it: {refusal}")
            return texts

    def _written(self, asked: Asked, tries: int | None) -> list[Choice]:
        body = asked.body
        choices, is_counted = self._client.post(
            "completions", body, lambda answer: choices_of(answer, body["max_tokens"]), asked.problem, tries
        )
        if not is_counted:
            self.estimates_tokens = True
            uncounted = "does not say how many tokens it wrote: a quarter of a text's bytes is counted"
            self._tell_once("uncounted", f"{self._client.addresses} {uncounted}")
        for reason in sorted({choice.reason for choice in choices if choice.end is End.LOST}):
            lost = "such texts are no draws of the model and are left out"
            self._tell_once(
                f"lost {reason}", f"{self._client.addresses} ended a text with {reason!r}: {lost}"
            )
        return choices

    def _tell_once(self, what: str, message: str) -> None:
        with self._telling:
            is_new = what not in self._told
            self._told.add(what)
        if is_new:
            warnings.warn(message, stacklevel=2)
