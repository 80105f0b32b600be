"""What a person may ask of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from labelsite.autolabels import value_models
from labelsite.autolabels.named_options import NamedOptions
from labelsite.autolabels.parameters import METHOD_NAMES, NAMES, VALUES
from labelsite.autolabels.refusals import refusals
from labelsite.autolabels.requests import LIMITS, METHODS_OWN, Request, refuse_policy
from labelsite.wording import translated
from ml.commands.autolabel_options import VOTERS
from ml.errors import MisstepError
from ml.search.named_options import FRESH, GIVEN, as_text
from ml.search.recipes import RECIPES, usual

LARGEST_TREE_FILE = 20 * 2**20

METHODS = {
    "math-shepherd": _("Math-Shepherd: completions from every prefix"),
    "omegaprm": _("OmegaPRM: binary search for the first mistake"),
    "rstar": _("rStar-Math: tree search, rewards −1 and +1"),
    "rest-mcts": _("ReST-MCTS*: tree search with quality values"),
}


def method_choices() -> list[tuple[str, Any]]:
    """The methods that `ml` has, with what a person should know of each."""
    return [(name, METHODS.get(name, name)) for name in RECIPES]


def _number(name: str, kind: type[forms.IntegerField] = forms.IntegerField) -> forms.IntegerField:
    """A setting that nobody has to say."""
    least, most = LIMITS[name]
    return kind(label=NAMES[name], required=False, min_value=least, max_value=most)


def _share(name: str) -> forms.FloatField:
    return forms.FloatField(label=NAMES[name], required=False, min_value=0, max_value=0.999)


# A temperature of 0 says something; the reference answer is what is meant anyway.
NOT_SAID = ("", None, "answer")


class MethodForm(forms.Form):
    """Method, policy and budget; and, folded away, what else the methods can be told."""

    method = forms.ChoiceField(label=_("Method"), choices=method_choices, initial="math-shepherd")
    policy = forms.CharField(
        label=_("Policy"),
        initial="pocket",
        max_length=200,
        help_text=_("pocket, a model's folder on the worker, or the address of an OpenAI-compatible server"),
    )
    rollouts = _number("rollouts")
    seed = forms.IntegerField(
        label=_("Seed"),
        initial=0,
        validators=[MinValueValidator(0), MaxValueValidator(2**31 - 1)],
        help_text=_("the same seed and input give the same result"),
    )
    value_model = forms.ChoiceField(
        label=NAMES["value_model"],
        choices=lambda: [("", _("none")), *((one.sha256, str(one)) for one in value_models.offered())],
        required=False,
        help_text=_("a trained checkpoint that guides rStar-Math or ReST-MCTS*"),
    )
    candidates = _number("candidates")
    depth = _number("depth")
    temperature = _number("temperature", forms.FloatField)
    threshold = _share("threshold")
    luck = _share("luck")
    self_critic = forms.ChoiceField(
        label=NAMES["self_critic"],
        choices=[("", _("as usual")), *VALUES["self_critic"].items()],
        required=False,
        help_text=_("in ReST-MCTS*'s search; the pocket policy cannot be asked"),
    )
    options = NamedOptions(
        label=_("Other options of the method"),
        required=False,
        help_text=_("NAME=VALUE, as many as you like; a wrong name is answered with those that there are"),
    )

    # What only some methods use; a value that could not act is refused and not passed over.
    ADVANCED: Sequence[str] = (
        "value_model", "candidates", "depth", "temperature", "threshold", "luck", "self_critic", "options",
    )  # fmt: skip
    ACTS_ON = GIVEN

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("candidates", "depth", "temperature", "threshold", "luck"):
            self.fields[name].help_text = self._usual(name)
        self.fields["rollouts"].help_text = gettext("from each step, or for each tree; %(usual)s") % {
            "usual": self._usual("rollouts")
        }

    def _usual(self, name: str) -> str:
        """Which methods have an option, and what each takes where nobody says it."""
        told = ", ".join(
            f"{METHOD_NAMES.get(method, method)} {as_text(value)}"
            for method, value in usual(name, self.ACTS_ON).items()
        )
        return gettext("empty: %(defaults)s") % {"defaults": told}

    def shown(self) -> list[forms.BoundField]:
        """The fields that every search asks for."""
        return [field for field in self if field.name not in self.ADVANCED]

    def folded(self) -> list[forms.BoundField]:
        return [self[name] for name in self.ADVANCED]

    @property
    def is_fold_open(self) -> bool:
        """What is folded away must not count unseen: open where something is set or refused in there."""
        return any(field.errors or field.value() not in NOT_SAID for field in self.folded())

    def clean(self) -> dict[str, Any]:
        chosen: dict[str, Any] = super().clean() or self.cleaned_data
        if method := chosen.get("method"):
            asked = {name: chosen[name] for name in self.ADVANCED if chosen.get(name) not in NOT_SAID}
            for name, words in refusals(method, chosen.get("policy", ""), self.ACTS_ON, asked):
                self.add_error(name, words)
        if not self.errors:
            self._refuse_options()
        return chosen

    def _refuse_options(self) -> None:
        """Only the methods themselves know their other options."""
        try:
            self._request(self.cleaned_data)
        except MisstepError as refusal:
            self.add_error("options", translated(refusal.as_said))

    @property
    def is_refused(self) -> bool:
        """Whether a field asks for what cannot be: that is no search, so there is nothing to tell the cost of."""
        return self.is_bound and any(name in self.errors for name in self.fields)

    def chosen(self) -> dict[str, Any]:
        """Every field's value; of a form that nobody has filled in, what it begins with."""
        return self.cleaned_data if self.is_bound else {name: self[name].initial for name in self.fields}

    def request(self) -> Request:
        """What is asked for, by the values of `chosen`."""
        return self._request(self.chosen())

    def _request(self, chosen: Mapping[str, Any]) -> Request:
        named = (name for name in self.ADVANCED if name != "options" and chosen.get(name) not in NOT_SAID)
        parameters = {name.replace("_", "-"): chosen[name] for name in named} | (chosen["options"] or {})
        rollouts = chosen["rollouts"] or METHODS_OWN
        return Request(chosen["method"], chosen["policy"], rollouts, chosen["seed"], parameters, self.ACTS_ON)

    def clean_policy(self) -> str:
        policy = str(self.cleaned_data["policy"]).strip()
        if policy.startswith("-"):
            raise forms.ValidationError(_("A policy cannot begin with a dash."))
        try:
            refuse_policy(policy)
        except MisstepError as refusal:
            raise forms.ValidationError(str(refusal)) from None
        return policy


class SearchForm(MethodForm):
    """Rollouts over given solutions: what they are graded against, too."""

    reference = forms.ChoiceField(
        label=NAMES["reference"],
        choices=list(VALUES["reference"].items()),
        required=False,
        help_text=_("the second needs no reference answers, and is as good as the policy's majority"),
    )
    voters = _number("voters")
    continuation_style = forms.ChoiceField(
        label=NAMES["continuation_style"],
        choices=[("", _("as usual")), *VALUES["continuation_style"].items()],
        required=False,
        help_text=_("as usual: the style of the steps before; of the pocket policy Python"),
    )
    ADVANCED = ("reference", "voters", "continuation_style", *MethodForm.ADVANCED)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["voters"].help_text = gettext(
            "for each problem without a look at its reference answer; empty: %(count)s"
        ) % {"count": VOTERS}


class ProblemSearchForm(MethodForm):
    """A search of fresh problems: which ones, and how many. Its ends are graded against the reference answer."""

    source = forms.ChoiceField(label=_("Problems"))
    limit = forms.IntegerField(label=_("How many"), initial=60, min_value=1, max_value=100_000)
    style = forms.ChoiceField(
        label=NAMES["style"],
        choices=[("", _("as usual")), *((name, VALUES["style"][name]) for name in ("prose", "code"))],
        required=False,
        help_text=_("as usual: Python"),
    )
    searches = _number("searches")
    field_order = ("source", "limit", "method", "policy", "rollouts", "seed")
    ADVANCED = ("style", "searches", *MethodForm.ADVANCED)
    ACTS_ON = FRESH

    def __init__(self, *args: Any, sources: list[tuple[str, int]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["source"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, f"{name} ({count})") for name, count in sources]
        self.fields["method"].initial = "rstar"
        self.fields["searches"].help_text = self._usual("searches")


class TreeFileForm(forms.Form):
    """A file of MATH-APS trees. A larger one belongs to the import, which reads in a job."""

    file = forms.FileField(label=_("MATH-APS trees"))

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > LARGEST_TREE_FILE:
            raise forms.ValidationError(
                _("The file has %(size)s MB, expected at most %(most)s.")
                % {"size": file.size // 2**20, "most": LARGEST_TREE_FILE // 2**20}
            )
        return file
