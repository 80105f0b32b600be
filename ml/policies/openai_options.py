"""The options of a server's address, and the servers that they are for."""

from __future__ import annotations

import math
import urllib.parse
from dataclasses import dataclass
from typing import Any

from ml.errors import MisstepError
from ml.policies.address import addresses_of, refuse_malformed
from ml.policies.prompt import known_family

LONGEST_STEP = 400
# What else shapes the distribution that a text is drawn from, by the field's own name. A server does not know all of
# them, and what is left out takes whatever the server has for it.
_SAMPLER = ("top_p", "top_k", "min_p", "repetition_penalty")
_OPTIONS = {
    "model", "prompts", "concurrency", "max_tokens", "max_step_tokens", "timeout", "stop", *_SAMPLER,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """What the addresses of one policy say. sampler: the fields that were asked for, beside the temperature."""

    addresses: tuple[str, ...]
    model: str
    family: str
    concurrency: int
    max_tokens: int
    max_step_tokens: int
    timeout: float
    use_stop: bool
    sampler: dict[str, float]

    def name(self, model: str) -> str:
        """The addresses with all options that change what is written."""
        options = {"model": model, "prompts": self.family, "max_tokens": str(self.max_tokens)}
        # A name from before there was an option is the same policy's.
        options |= (
            {} if self.max_step_tokens == LONGEST_STEP else {"max_step_tokens": str(self.max_step_tokens)}
        )
        options |= {} if self.use_stop else {"stop": "no"}
        options |= {name: f"{value:g}" for name, value in self.sampler.items()}
        query = urllib.parse.urlencode({name: said for name, said in options.items() if said}, safe="/:")
        return f"{','.join(self.addresses)}?{query}"


def read_options(policy: str) -> Options:
    """The options of one address, or of several of the same model with commas between, each said at one or at all.

    Raises MisstepError for what is malformed, unknown, or said in two ways.
    """
    said: dict[str, str] = {}
    addresses: list[str] = []
    for address in addresses_of(policy):
        refuse_malformed(address)
        parts = urllib.parse.urlsplit(address)
        bare = urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        if bare in addresses:
            raise MisstepError(f"{policy}: {bare} twice, expected each server once")
        addresses.append(bare)
        for name, value in urllib.parse.parse_qsl(parts.query):
            if said.setdefault(name, value) != value:
                raise MisstepError(f"{policy}: {name} is {said[name]!r} and {value!r}, expected one of them")
    unknown = sorted(set(said) - _OPTIONS)
    if unknown:
        raise MisstepError(f"{policy}: options {', '.join(unknown)}, expected {', '.join(sorted(_OPTIONS))}")
    try:
        return Options(tuple(addresses), **_read(said))
    except ValueError as error:
        raise MisstepError(f"{policy}: {error}, expected numbers") from None


def _read(said: dict[str, str]) -> dict[str, Any]:
    sampler = {name: _finite(said[name]) for name in _SAMPLER if name in said}
    if sampler.get("top_p") == 1:
        # That is what is sent without it.
        del sampler["top_p"]
    return {
        "model": said.get("model", ""),
        "family": known_family(said.get("prompts", "")),
        "concurrency": _positive(said.get("concurrency", "32")),
        "max_tokens": _positive(said.get("max_tokens", "1024")),
        "max_step_tokens": _positive(said.get("max_step_tokens", str(LONGEST_STEP))),
        "timeout": float(said.get("timeout", 300)),
        "use_stop": said.get("stop", "yes") != "no",
        "sampler": {name: int(value) if name == "top_k" else value for name, value in sampler.items()},
    }


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is no number to send")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(f"{text!r} is below 1")
    return value
