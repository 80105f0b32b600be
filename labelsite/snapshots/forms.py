"""What to freeze, and by which rule."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from labelsite.autolabels.models import EstimateRun
from labelsite.campaigns.models import Campaign
from labelsite.snapshots.models import LabelSource
from labelsite.snapshots.second_runs import second_runs
from ml.targets import LabelRule

NEUTRAL = [("positive", _("correct")), ("negative", _("wrong")), ("drop", _("unlabelled"))]
GIVEN_UP = [("keep", _("labels, where nobody came to a verdict")), ("drop", _("nothing"))]
TARGETS = [
    ("hard", _("right or wrong (hard estimation)")),
    ("soft", _("the share of right rollouts (soft estimation)")),
    ("quality_value", _("the quality value")),
]
MIXTURES = [
    ("people_override", _("people's word counts")),
    ("consensus", _("only what they agree on")),
    ("agreement_weighted", _("a weighted mean")),
    ("fusion", _("both as noisy witnesses (fusion)")),
]


class FreezeForm(forms.Form):
    campaign = forms.ModelChoiceField(Campaign.objects.none(), label=_("Campaign"), empty_label=None)
    labels = forms.ChoiceField(label=_("Labels"), choices=LabelSource.choices, initial=LabelSource.HUMAN)
    name = forms.CharField(
        label=_("Name"), max_length=110, required=False, help_text=_("Empty: the campaign, labels and time.")
    )
    neutral = forms.ChoiceField(
        label=_("A neutral step counts as"),
        choices=NEUTRAL,
    )
    target = forms.ChoiceField(
        label=_("Rollouts give"),
        choices=TARGETS,
    )
    mixture = forms.ChoiceField(
        label=_("Where people and rollouts both spoke"),
        choices=MIXTURES,
    )
    second_run = forms.ModelChoiceField(
        EstimateRun.objects.none(),
        label=_("Second search"),
        empty_label=_("none"),
        required=False,
        help_text=_(
            "With “only what they agree on”: where nobody judged a solution, this search has to name the same first "
            "mistake as the campaign's own."
        ),
    )

    given_up = forms.ChoiceField(
        label=_("What was rated before giving up counts as"),
        choices=GIVEN_UP,
        required=False,
    )
    keep_unlabelled = forms.BooleanField(
        label=_("Keep solutions without labels whose answer is known"),
        required=False,
        help_text=_(
            "For training on answers: the outcome objective, or “Solutions without labels teach by their answer”."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices: Any = self.fields["campaign"]
        choices.queryset = Campaign.objects.filter(is_archived=False).order_by("-pk")
        choices.label_from_instance = lambda campaign: campaign.name
        if self._asks_for_another(choices):
            choices.empty_label = _("choose one")
            choices.help_text = _("The campaign that was asked for is archived or gone.")
        runs: Any = self.fields["second_run"]
        runs.queryset = second_runs()
        runs.label_from_instance = lambda run: run.name

    def _asks_for_another(self, choices: Any) -> bool:
        """Whether a campaign was asked for that cannot be frozen: a browser would show the first of the others."""
        asked = (self.data if self.is_bound else self.initial).get("campaign")
        try:
            return bool(asked) and choices.to_python(asked) is None
        except forms.ValidationError:
            return True

    def rule(self) -> LabelRule:
        """The rule that the form describes."""
        chosen = self.cleaned_data
        return LabelRule(
            labels=chosen["labels"],
            neutral=chosen["neutral"],
            target=chosen["target"],
            mixture=chosen["mixture"],
            given_up=chosen["given_up"] or LabelRule.given_up,
        )
