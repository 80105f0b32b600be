"""Any OpenAI-compatible server as a policy: vLLM, SGLang, llama.cpp, `transformers serve`.

`--policy "http://host:8000/v1?model=NAME&prompts=FAMILY&concurrency=32&max_tokens=1024&max_step_tokens=400&stop=yes"`;
every part after the address is optional, and an API key is read from MISSTEP_POLICY_KEY (never from an argument, which
others could see in the list of processes). Only the completions endpoint is used: the prompt is ours, no chat
template is run.
"""

from __future__ import annotations

import threading
import urllib.parse
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ml.errors import MisstepError
from ml.policies.address import refuse_malformed
from ml.policies.choices import Choice, End, choices_of
from ml.policies.context_length import ask_within_context, is_about_context
from ml.policies.openai_client import Client, OddAnswer, Refused, shown
from ml.policies.prompt import Prompt, known_family, prompt_for
from ml.policies.protocol import Continuation, Prefix, Unanswerable, all_answered
from ml.policies.refusals import Refusals, is_of_one_request
from ml.seeds import seed_of

LONGEST_STEP = 400
# A problem that no server has a reason to refuse.
PLAIN = "1 + 1 ="
# How a server says that it does not write so many texts in one request.
_TOO_MANY = frozenset({400, 422})
# A model that writes so many blank lines in a row inside a code fence has lost its way.
MOST_BLANK = 3
_OPTIONS = {"model", "prompts", "concurrency", "max_tokens", "max_step_tokens", "timeout", "stop"}


class ServerPolicy:
    """A policy at an address; see the module for the address's options. has_answered: an earlier start of the same run
    was served there.

    lanes: calls that are best under way at once. Each is of one prefix, since a server gains nothing from more.
    limit_options: which of the address's options hold how long a text may be: a step keeps to the smaller.
    """

    answers_singly = True

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
        self.family = known_family(options.get("prompts", ""))
        try:
            self.lanes = self.concurrency = _positive(options.get("concurrency", "32"))
            self.max_tokens = _positive(options.get("max_tokens", "1024"))
            self.max_step_tokens = _positive(options.get("max_step_tokens", str(LONGEST_STEP)))
            timeout = float(options.get("timeout", 300))
        except ValueError as error:
            raise MisstepError(f"{address}: {error}, expected numbers") from None
        limits = {"max_step_tokens": self.max_step_tokens, "max_tokens": self.max_tokens}
        of_step = " and ".join(name for name, limit in limits.items() if limit == min(limits.values()))
        self.limit_options = {"completions": "max_tokens", "steps": of_step}
        # Some servers fail at stop strings with some tokenizers; then texts are cut here, and more is paid
        # for.
        self.use_stop = options.get("stop", "yes") != "no"
        is_local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        self._client = Client(self.address, is_local, timeout, retry_seconds, has_answered)
        # The smallest number of texts that the server does not write in one request, by temperature.
        self._too_many: dict[float, int] = {}
        self._refusals = Refusals()
        # All requests of all calls keep to the concurrency; whoever waits for a slot holds none.
        self._slots = threading.BoundedSemaphore(self.concurrency)
        self._texts = ThreadPoolExecutor(self.concurrency, "texts")
        self._telling = threading.Lock()
        self._told: set[str] = set()
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

        limit = min(self.max_tokens, self.max_step_tokens)

        def read(prompt: Prompt, choice: Choice) -> Continuation:
            return prompt.one_step(choice.text, choice.tokens, choice.stopped, choice.ended_by(prompt.end))

        return self._ask_all(prefixes, count, temperature, seed, limit, read, whole=False)

    def complete(
        self, prefixes: Sequence[Prefix], count: int, temperature: float, seed: int
    ) -> list[list[Continuation]]:
        """`count` completions to the end for each prefix."""

        def read(prompt: Prompt, choice: Choice) -> Continuation:
            return prompt.completion(choice.text, choice.tokens, choice.stopped)

        return self._ask_all(prefixes, count, temperature, seed, self.max_tokens, read, whole=True)

    def _ask_all(
        self,
        prefixes: Sequence[Prefix],
        count: int,
        temperature: float,
        seed: int,
        limit: int,
        read: Callable[[Prompt, Choice], Continuation],
        whole: bool,
    ) -> list[list[Continuation]]:
        def ask(prefix: Prefix) -> list[Continuation] | Unanswerable | Refused:
            prompt = prompt_for(prefix, self.family)
            own_seed = seed_of(seed, prefix.problem.text, prefix.style, *prefix.steps)

            def write(read_prefix: Prefix, max_tokens: int) -> list[Choice]:
                body = {
                    "model": self.model,
                    "prompt": prompt.render(read_prefix),
                    "temperature": temperature,
                    "max_tokens": max_tokens,
                }
                if self.use_stop:
                    body["stop"] = [prompt.end] if whole else [prompt.separator, prompt.end]
                choices = self._choices(body, count, own_seed)
                return choices if whole else self._with_whole_code(body, prompt, choices, own_seed)

            try:
                choices = ask_within_context(write, prefix, limit, min(limit, self.max_step_tokens))
            except Unanswerable as refusal:
                return refusal.with_traceback(None)
            except Refused as refusal:
                if not is_of_one_request(refusal):
                    raise
                return refusal.with_traceback(None)
            return [
                Continuation((), False, one.tokens, lost=True) if one.end is End.LOST else read(prompt, one)
                for one in choices
            ]

        if not prefixes:
            return []
        if len(prefixes) == 1:
            answers = [ask(prefixes[0])]
        else:
            with ThreadPoolExecutor(min(self.concurrency, len(prefixes))) as pool:
                answers = list(pool.map(ask, prefixes))
        # The same in all but the words, so that a setting which the server does not take is refused here, too.
        plain = replace(prefixes[0], problem=replace(prefixes[0].problem, text=PLAIN), steps=())
        return all_answered(self._refusals.settle(prefixes, answers, lambda: isinstance(ask(plain), list)))

    def _choices(self, body: dict[str, Any], count: int, seed: int) -> list[Choice]:
        """`count` texts: in one request where the server can, and those that it left out one by one."""
        found = self._first_choices(body | {"seed": seed % 2**31}, count)

        def ask(index: int) -> Choice:
            return self._post(body | {"seed": seed_of(seed, index) % 2**31})[0]

        # A server that ignores `n` (transformers serve does) answers with the first text alone. Nothing is
        # remembered of a short answer: what is drawn for a prefix would depend on what happened before it.
        return found + self._side_by_side(ask, range(len(found), count))

    def _side_by_side(self, ask: Callable[[int], Choice], indices: Sequence[int]) -> list[Choice]:
        """Ask for each; where one fails, those that have not begun are left."""
        futures = [self._texts.submit(ask, index) for index in indices]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise

    def _first_choices(self, body: dict[str, Any], count: int) -> list[Choice]:
        """As many of `count` texts as the server writes in one request, at least one.

        Some refuse more than so many (llama.cpp its slots, vLLM one at temperature 0). That is remembered for
        as many and more at this temperature: these would be refused again, so no draw depends on it.
        """
        temperature = body["temperature"]
        known = self._too_many.get(temperature)
        if known is not None and count >= known:
            return self._post(body | {"n": 1})[:1]
        try:
            return self._post(body | {"n": count})[:count]
        except Refused as refusal:
            if count == 1 or refusal.status not in _TOO_MANY or is_about_context(refusal):
                raise
            first = self._post(body | {"n": 1})[:1]
            self._too_many[temperature] = min(count, self._too_many.get(temperature, count))
            self._tell_once(f"too many at {temperature}", f"texts are asked for one by one: {refusal}")
            return first

    def _with_whole_code(
        self, body: dict[str, Any], prompt: Prompt, choices: Sequence[Choice], seed: int
    ) -> list[Choice]:
        """Texts that stopped at a blank line inside a code fence go on to the end of their step."""
        open_ones = [index for index, choice in enumerate(choices) if self._stopped_in_code(prompt, choice)]

        def go_on(index: int) -> Choice:
            return self._go_on(body, prompt, choices[index], seed_of(seed, "goes on", index))

        whole = dict(zip(open_ones, self._side_by_side(go_on, open_ones), strict=True))
        return [whole.get(index, choice) for index, choice in enumerate(choices)]

    def _stopped_in_code(self, prompt: Prompt, choice: Choice) -> bool:
        is_at_separator = not choice.tells or choice.stop == prompt.separator
        if not (self.use_stop and choice.stopped and is_at_separator) or prompt.end in choice.text:
            return False
        return prompt.is_inside_code(choice.text)

    def _go_on(self, body: dict[str, Any], prompt: Prompt, choice: Choice, seed: int) -> Choice:
        """One text with what follows it, asked for until its fence is closed or its tokens are spent."""
        limit, blank, written = body["max_tokens"], 0, choice.text
        while self._stopped_in_code(prompt, choice):
            if choice.tokens >= limit or blank >= MOST_BLANK:
                return replace(choice, end=End.CUT_OFF)
            # Few servers keep the stop string.
            text = choice.text + ("" if written.endswith(prompt.separator) else prompt.separator)
            rest = {"prompt": body["prompt"] + text, "max_tokens": limit - choice.tokens}
            try:
                added = self._post(body | rest | {"n": 1, "seed": seed_of(seed, len(text)) % 2**31})[0]
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

    def _post(self, body: dict[str, Any]) -> list[Choice]:
        """The texts of one request, which waits for a slot of the concurrency."""
        with self._slots:
            choices, is_counted = self._client.post(
                "completions", body, lambda answer: choices_of(answer, body["max_tokens"])
            )
        if not is_counted:
            self.estimates_tokens = True
            uncounted = "does not say how many tokens it wrote: a quarter of a text's bytes is counted"
            self._tell_once("uncounted", f"{self.address} {uncounted}")
        for reason in sorted({choice.reason for choice in choices if choice.end is End.LOST}):
            self._tell_once(
                f"lost {reason}",
                f"{self.address} ended a text with {reason!r}: such texts are no draws of the model and are left out",
            )
        return choices

    def _tell_once(self, what: str, message: str) -> None:
        with self._telling:
            is_new = what not in self._told
            self._told.add(what)
        if is_new:
            warnings.warn(message, stacklevel=2)

    def _name(self, parts: urllib.parse.SplitResult) -> str:
        """The address with all options that change what is written."""
        options = {"model": self.model, "prompts": self.family, "max_tokens": str(self.max_tokens)}
        # A name from before there was this option is the same policy's.
        options |= (
            {} if self.max_step_tokens == LONGEST_STEP else {"max_step_tokens": str(self.max_step_tokens)}
        )
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


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(f"{text!r} is below 1")
    return value
