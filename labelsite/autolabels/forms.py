"""What a person may ask of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from labelsite.autolabels import value_models
from labelsite.autolabels.parameters import METHOD_NAMES, NAMES, VALUES
from labelsite.autolabels.requests import (
    SELF_CONSISTENCY,
    Request,
    can_be_guided,
    options_of,
    refuse_address,
)
from ml.errors import MisstepError
from ml.search.recipes import RECIPES

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
    rollouts = forms.IntegerField(
        label=_("Rollouts"),
        initial=16,
        min_value=1,
        max_value=1024,
        help_text=_("from each step, or for each tree"),
    )
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
    candidates = forms.IntegerField(
        label=NAMES["candidates"],
        required=False,
        min_value=1,
        max_value=64,
    )
    depth = forms.IntegerField(label=NAMES["depth"], required=False, min_value=1, max_value=256)
    temperature = forms.FloatField(
        label=NAMES["temperature"],
        required=False,
        min_value=0,
        max_value=2,
    )

    # What only some methods use; a value that could not act is refused and not passed over.
    ADVANCED: Sequence[str] = ("value_model", "candidates", "depth", "temperature")
    # By method, what it has and does not use here.
    UNUSED: Sequence[tuple[str, str]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("candidates", "depth", "temperature"):
            self.fields[name].help_text = self._usual(name)

    def _usual(self, name: str) -> str:
        """Which methods have an option, and what each takes where nobody says it."""
        told = ", ".join(
            f"{METHOD_NAMES.get(method, method)} {getattr(recipe.options(), name)}"
            for method, recipe in RECIPES.items()
            if name in options_of(method) and (method, name) not in self.UNUSED
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
            self._refuse_what_cannot_act(method, chosen)
        return chosen

    def _refuse_what_cannot_act(self, method: str, chosen: dict[str, Any]) -> None:
        words = _("%(method)s does not use this.") % {"method": METHOD_NAMES.get(method, method)}
        unused = {name for name in ("candidates", "depth") if name not in options_of(method)}
        unused |= {name for of, name in self.UNUSED if of == method}
        unused |= set() if can_be_guided(method) else {"value_model"}
        for name in sorted(unused):
            if chosen.get(name):
                self.add_error(name, words)

    def chosen(self) -> dict[str, Any]:
        """Every field's value; of a form that nobody has filled in, or that is refused, what it begins with."""
        is_filled_in = self.is_bound and self.is_valid()
        return self.cleaned_data if is_filled_in else {name: self[name].initial for name in self.fields}

    def request(self) -> Request:
        """What is asked for, by the values of `chosen`."""
        chosen = self.chosen()
        parameters = {
            name.replace("_", "-"): chosen[name] for name in self.ADVANCED if chosen.get(name) not in NOT_SAID
        }
        return Request(chosen["method"], chosen["policy"], chosen["rollouts"], chosen["seed"], parameters)

    def clean_policy(self) -> str:
        policy = str(self.cleaned_data["policy"]).strip()
        try:
            refuse_address(policy)
        except MisstepError as refusal:
            raise forms.ValidationError(str(refusal)) from None
        if policy.startswith("-"):
            raise forms.ValidationError(_("A policy cannot begin with a dash."))
        return policy


class SearchForm(MethodForm):
    """Rollouts over given solutions: what they are graded against, too."""

    reference = forms.ChoiceField(
        label=NAMES["reference"],
        choices=list(VALUES["reference"].items()),
        required=False,
        help_text=_("the second needs no reference answers, and is as good as the policy's majority"),
    )
    voters = forms.IntegerField(
        label=NAMES["voters"],
        required=False,
        min_value=1,
        max_value=1024,
        help_text=_("for each problem without a look at its reference answer; empty: 32"),
    )
    ADVANCED = ("reference", "voters", *MethodForm.ADVANCED)
    # It samples as many solutions of a fresh problem; a given one is there already.
    UNUSED = (("math-shepherd", "candidates"),)

    def clean(self) -> dict[str, Any]:
        chosen = super().clean()
        if chosen.get("voters") and chosen.get("reference") != SELF_CONSISTENCY:
            self.add_error(
                "voters", _("Nobody votes where rollouts are graded against the reference answer.")
            )
        return chosen


class ProblemSearchForm(MethodForm):
    """A search of fresh problems: which ones, and how many. Its ends are graded against the reference answer."""

    source = forms.ChoiceField(label=_("Problems"))
    limit = forms.IntegerField(label=_("How many"), initial=60, min_value=1, max_value=100_000)
    field_order = ("source", "limit", "method", "policy", "rollouts", "seed")

    def __init__(self, *args: Any, sources: list[tuple[str, int]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["source"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, f"{name} ({count})") for name, count in sources]
        self.fields["method"].initial = "rstar"


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
