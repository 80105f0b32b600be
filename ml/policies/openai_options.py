"""The options of a server's address, and the servers that they are for."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from typing import Any

from ml.bounds import ABOVE_ZERO, FINITE, LENGTH, Bounds
from ml.errors import MisstepError
from ml.policies.address import addresses_of, refuse_malformed
from ml.policies.prompt import known_family, told_of_family

LONGEST_STEP = 400
_NUMBERS = {
    "concurrency": (ABOVE_ZERO, 32),
    "max_tokens": (ABOVE_ZERO, 1024),
    "max_step_tokens": (ABOVE_ZERO, LONGEST_STEP),
    "timeout": (LENGTH, 300.0),
}
# A name writes numbers as floats do, and a whole number may be beyond every float.
_TOP_K = Bounds(int, "a whole number below 2147483648", above=-(2**31), below=2**31)
# What else shapes the distribution that a text is drawn from, by the field's own name. A server does not know all of
# them, and what is left out takes whatever the server has for it.
_SAMPLER = {"top_p": FINITE, "top_k": _TOP_K, "min_p": FINITE, "repetition_penalty": FINITE}
_OPTIONS = {"model", "prompts", "stop", *_NUMBERS, *_SAMPLER}


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
        options = {"model": model, **told_of_family(self.family), "max_tokens": str(self.max_tokens)}
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

    def number(name: str, bounds: Bounds) -> Any:
        try:
            return bounds.read(said[name])
        except ValueError as expected:
            raise MisstepError(f"{policy}: {name}={said[name]}, expected {expected}") from None

    numbers: dict[str, Any] = {
        name: number(name, bounds) if name in said else usual for name, (bounds, usual) in _NUMBERS.items()
    }
    sampler = {name: number(name, bounds) for name, bounds in _SAMPLER.items() if name in said}
    if sampler.get("top_p") == 1:
        # That is what is sent without it.
        del sampler["top_p"]
    return Options(
        addresses=tuple(addresses),
        model=said.get("model", ""),
        family=known_family(said.get("prompts", "")),
        use_stop=said.get("stop", "yes") != "no",
        sampler=sampler,
        **numbers,
    )
