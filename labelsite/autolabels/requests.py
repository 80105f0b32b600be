"""What a search is asked for: method, policy, rollouts and the method's other options, as the command takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from labelsite.autolabels import value_models
from labelsite.autolabels.refusals import SELF_CONSISTENCY, refusals
from labelsite.jobs.model_folders import may_be_a_folder
from ml.commands.autolabel_options import STYLE, VOTERS, parser
from ml.commands.once import RefusingParser
from ml.errors import MisstepError
from ml.policies import rollout_style
from ml.policies.address import EXPECTED, addresses_of, fault_of
from ml.said import Said
from ml.search.named_options import FRESH, GIVEN, as_text, refuse_what_waits
from ml.search.recipes import GUIDED, RECIPES, read_named, usual

# What a form or a script may set of a method, by its name on the command line; its other options go by their own names.
OPTIONS = (
    "candidates", "depth", "searches", "temperature", "threshold", "luck", "style", "continuation-style",
    "value-model", "reference", "voters", "self-critic",
)  # fmt: skip
# What a form and the API let pass: the least, and what nobody means who asks for more.
LIMITS: Mapping[str, tuple[int, int]] = {
    "rollouts": (1, 100_000), "candidates": (1, 64), "depth": (1, 256), "searches": (1, 10_000), "voters": (1, 1024),
    "temperature": (0, 2),
}  # fmt: skip
METHODS_OWN = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask of a policy: the method, how many rollouts, and the method's other options, public code's variants
    among them. A value model is a registered checkpoint's sha256, or its folder on the worker. acts_on: given solutions
    or fresh problems. Without rollouts they are the method's own, as on the command line.

    Raises MisstepError for whatever the command would refuse by its arguments alone.
    """

    method: str = "math-shepherd"
    policy: str = "pocket"
    rollouts: int = METHODS_OWN
    seed: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    acts_on: str = GIVEN

    def __post_init__(self) -> None:
        refuse_policy(self.policy)
        if self.method not in RECIPES:
            raise MisstepError(f"method {self.method!r}, expected one of {', '.join(RECIPES)}")
        if self.rollouts == METHODS_OWN:
            object.__setattr__(self, "rollouts", usual("rollouts", self.acts_on)[self.method])
        otherwise = {"rollouts", *(name.replace("-", "_") for name in self.parameters if name in OPTIONS)}
        try:
            named = read_named(self.method, self.acts_on, self._named(), otherwise)
        except MisstepError as refusal:
            words, others = gettext_noop("%(refusal)s; or some of %(options)s"), ", ".join(OPTIONS)
            raise MisstepError(Said(words, refusal=refusal.as_said, options=others)) from None
        self._refuse_what_cannot_act(named)

    def _refuse_what_cannot_act(self, named: Mapping[str, Any]) -> None:
        asked = {name.replace("-", "_"): value for name, value in self.parameters.items() if name in OPTIONS}
        for name, words in refusals(self.method, self.policy, self.acts_on, asked):
            raise MisstepError(f"{name}: {words}")
        _checker().parse_args([*self._spoken(self.parameters), "--solutions=-", "--out=-"])
        guided = dict.fromkeys(GUIDED.values(), True) if "value_model" in asked else {}
        refuse_what_waits(named, RECIPES[self.method].with_options({**named, **guided}))

    @property
    def needs_answers(self) -> bool:
        """Whether rollouts are graded against reference answers, and not against the policy's own majority."""
        return self.parameters.get("reference") != SELF_CONSISTENCY

    @property
    def voters(self) -> int:
        """How many solutions of each problem vote on its answer; none where there is a reference."""
        return 0 if self.needs_answers else int(self.parameters.get("voters", VOTERS))

    def as_arguments(self) -> dict[str, Any]:
        """The request as arguments of the functions that start a run."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "acts_on"}

    def arguments(self) -> list[str]:
        """The request as arguments of `python -m ml autolabel`."""
        given = dict(self.parameters)
        if "value-model" in given:
            given["value-model"] = value_models.place_of(given["value-model"])
        return [*self._spoken(given), *(part for setting in self._named() for part in ("--set", setting))]

    def _spoken(self, parameters: Mapping[str, Any]) -> list[str]:
        """What has options of its own, as the command takes it."""
        own = {"method": self.method, "policy": self.policy, "rollouts": self.rollouts, "seed": self.seed}
        given = {**own, **{name: value for name, value in parameters.items() if name in OPTIONS}}
        return [part for name, value in given.items() for part in (f"--{name}", str(value))]

    def _named(self) -> list[str]:
        """What `--set` is to say: the parameters that are options of the method by their own names."""
        named = {name: value for name, value in self.parameters.items() if name not in OPTIONS}
        return [f"{name}={as_text(value)}" for name, value in named.items()]

    def recorded(self) -> dict[str, Any]:
        """The parameters as the run keeps and shows them."""
        told = {"rollouts": self.rollouts, **self.parameters}
        if "value-model" in told:
            told["value-model"] = value_models.name_of(told["value-model"])
        return told

    def settings(self, of_solutions: bool) -> dict[str, Any]:
        """Everything that decides what an item costs, but for the policy and the rollouts, with the defaults filled in.

        Two runs of the same settings spend alike; `luck` only reads what was spent, unless a mistake ends it.
        """
        asked = {name.replace("-", "_"): value for name, value in self.parameters.items() if name in OPTIONS}
        # A form keeps `--set` as text: what it says is a number, or what the method takes anyway.
        asked |= read_named(self.method, GIVEN if of_solutions else FRESH, self._named())
        fresh_style = None if of_solutions else asked.get("style", STYLE)
        asked["style"] = self._rollout_style(asked.get("continuation_style")) if of_solutions else None
        if asked.get("value_model"):
            asked |= dict.fromkeys(GUIDED.values(), True)
        options = asdict(RECIPES[self.method].with_options(asked))
        apart = {"rollouts"} if options.get("stop_at_first_mistake") else {"rollouts", "luck"}
        spent_alike = {name: value for name, value in options.items() if name not in apart}
        return {
            **spent_alike,
            "of": "solutions" if of_solutions else "problems",
            "fresh_style": fresh_style,
            "voters": self.voters,
            "value_model": asked.get("value_model"),
        }

    def _rollout_style(self, chosen: str | None) -> str | None:
        style = chosen or rollout_style(self.policy)
        return None if style == "as-given" else style


@cache
def _checker() -> RefusingParser:
    """The command's own parser: what it would not take is refused here and not by a job."""
    made = parser(RefusingParser)
    assert isinstance(made, RefusingParser)
    return made


def refuse_policy(policy: str) -> None:
    """Raise MisstepError for what can be no policy, wherever the worker is: neither `pocket`, nor an address that
    `_refuse_one_address` lets pass, nor a folder's path.
    """
    for address in addresses_of(policy):
        _refuse_one_address(address)
    is_folder = "://" not in policy and policy != "pocket"
    if is_folder and not may_be_a_folder(policy.partition("?")[0]):
        raise MisstepError(_("pocket, a model's folder by its whole path, or a server's address, please."))


def _refuse_one_address(policy: str) -> None:
    """Raise MisstepError for an address that no request can be sent to, and for one with a password, which would end
    up on pages and in exported files. Whether somebody answers there, only the worker can tell.
    """
    try:
        parts = urlsplit(policy)
    except ValueError:
        raise MisstepError(_("An address that can be read, please.")) from None
    if parts.username or parts.password:
        raise MisstepError(_("An address without a password in it, please."))
    if "://" in policy and fault_of(policy):
        raise MisstepError(_("An address like %(example)s, please.") % {"example": EXPECTED})
