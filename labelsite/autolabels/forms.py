"""What a person may ask of a search."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy as _

from labelsite.autolabels.services import refuse_address
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


class SearchForm(forms.Form):
    """Method, policy and budget."""

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

    def clean_policy(self) -> str:
        policy = str(self.cleaned_data["policy"]).strip()
        try:
            refuse_address(policy)
        except MisstepError as refusal:
            raise forms.ValidationError(str(refusal)) from None
        if policy.startswith("-"):
            raise forms.ValidationError(_("A policy cannot begin with a dash."))
        return policy


class ProblemSearchForm(SearchForm):
    """A search of fresh problems: which ones, and how many."""

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
