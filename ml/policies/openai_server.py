"""OpenAI-compatible servers as a policy: vLLM, SGLang, llama.cpp, `transformers serve`.

`--policy "http://host:8000/v1?model=NAME&prompts=FAMILY&concurrency=32&max_tokens=1024&max_step_tokens=400&stop=yes"`;
every part after the address is optional, and an API key is read from MISSTEP_POLICY_KEY (never from an argument, which
others could see in the list of processes). Only the completions endpoint is used: the prompt is ours, no chat
template is run. Several addresses of the same model, with commas between, are one policy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ml.errors import MisstepError
from ml.policies.choices import Choice, End
from ml.policies.context_length import ask_within_context
from ml.policies.openai_client import Client
from ml.policies.openai_faults import OddAnswer, Refused, Unserved, shown
from ml.policies.openai_options import read_options
from ml.policies.openai_texts import PLAIN, Asked, Texts
from ml.policies.prompt import Prompt, prompt_for
from ml.policies.protocol import Continuation, Prefix, Unanswerable, all_answered
from ml.policies.refusals import Refusals, is_of_one_request
from ml.seeds import seed_of


class ServerPolicy:
    """A policy at an address, or at several; see the module for the options. has_answered: an earlier start of the
    same run was served there.

    lanes: calls that are best under way at once. Each is of one prefix, since a server gains nothing from more.
    limit_options: which of the address's options hold how long a text may be: a step keeps to the smaller.
    """

    answers_singly = True

    def __init__(self, address: str, has_answered: bool = False) -> None:
        options = read_options(address)
        self.address = ",".join(options.addresses)
        self.family = options.family
        self.lanes = self.concurrency = options.concurrency
        self.max_tokens, self.max_step_tokens = options.max_tokens, options.max_step_tokens
        limits = {"max_step_tokens": self.max_step_tokens, "max_tokens": self.max_tokens}
        of_step = " and ".join(name for name, limit in limits.items() if limit == min(limits.values()))
        self.limit_options = {"completions": "max_tokens", "steps": of_step}
        # Some servers fail at stop strings with some tokenizers; then texts are cut here, and more is paid
        # for.
        self.use_stop = options.use_stop
        self._client = Client(options.addresses, options.timeout, self.concurrency, has_answered)
        self._refusals = Refusals()
        self._texts = Texts(self._client, self.concurrency, options.sampler, self.use_stop)
        self.model = options.model or self._first_model()
        self.name = options.name(self.model)

    @property
    def estimates_tokens(self) -> bool:
        """Whether a token that was counted was estimated; kept with the run."""
        return self._texts.estimates_tokens

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
        def ask(prefix: Prefix) -> list[Continuation] | Unanswerable | Refused | Unserved:
            prompt = prompt_for(prefix, self.family)
            own_seed = seed_of(seed, prefix.problem.text, prefix.style, *prefix.steps)

            def write(read_prefix: Prefix, max_tokens: int) -> list[Choice]:
                body: dict[str, Any] = {
                    "model": self.model,
                    "prompt": prompt.render(read_prefix),
                    "temperature": temperature,
                    "max_tokens": max_tokens,
                }
                if self.use_stop:
                    body["stop"] = [prompt.end] if whole else [prompt.separator, prompt.end]
                asked = Asked(prefix.problem.text, body)
                choices = self._texts.choices(asked, count, own_seed)
                return choices if whole else self._texts.with_whole_code(asked, prompt, choices, own_seed)

            try:
                choices = ask_within_context(write, prefix, limit, min(limit, self.max_step_tokens))
            except (Unanswerable, Unserved) as refusal:
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
        first = self._refusals.begin(len(prefixes))
        if len(prefixes) == 1:
            answers = [ask(prefixes[0])]
        else:
            with ThreadPoolExecutor(min(self.concurrency, len(prefixes))) as pool:
                answers = list(pool.map(ask, prefixes))
        # The same in all but the words, so that a setting which the server does not take is refused here, too.
        plain = replace(prefixes[0], problem=replace(prefixes[0].problem, text=PLAIN), steps=())
        return all_answered(
            self._refusals.settle(first, prefixes, answers, lambda: isinstance(ask(plain), list))
        )

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
