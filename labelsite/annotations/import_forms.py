"""What a person says about a file to be imported."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from labelsite.campaigns.models import SECTION_LENGTH, Campaign
from ml import formats

# What people call the formats, beside the names that commands use.
FORMAT_TITLES = {
    "processbench": "ProcessBench",
    "prm800k": "PRM800K",
    "big_bench_mistake": "BIG-Bench-Mistake",
    "mr_gsm8k": "MR-GSM8K",
    "gsm8k_solutions": _("GSM8K model solutions"),
    "misstep": _("samples of this product (python -m ml sample)"),
    "math_shepherd": "Math-Shepherd",
    "math_aps": "MATH-APS",
    "stepwise": _("stepwise rows (prompt, completions, labels)"),
    "annotated": _("your own labels, under each person's name"),
    "records": _("solutions without labels (one JSON object a line)"),
}
FORMAT_CHOICES = [(name, FORMAT_TITLES.get(name, name)) for name in formats.FORMATS]


class UploadForm(forms.Form):
    file = forms.FileField(
        label=_("File"), help_text=_("JSON Lines, plain or .gz"), max_length=200, allow_empty_file=True
    )


class ImportForm(forms.Form):
    format = forms.ChoiceField(label=_("Format"), choices=FORMAT_CHOICES)
    campaign = forms.CharField(
        label=_("Campaign"),
        max_length=120,
        help_text=_("An existing one, or the name of a new one."),
    )
    # The name of which the page has said that no campaign has it.
    new_campaign = forms.CharField(max_length=120, required=False, widget=forms.HiddenInput)
    begins_paused = forms.BooleanField(label=_("Begin paused"), required=False)
    section = forms.CharField(
        label=_("Section"),
        max_length=SECTION_LENGTH,
        required=False,
        help_text=_(
            "A part of the campaign, such as this file or a subject. People can be kept to a section."
        ),
    )

    def clean(self) -> dict[str, Any]:
        """Nobody makes a campaign by a slip: its page has to have said that the name is a new one."""
        data: dict[str, Any] = super().clean() or {}
        name = data.get("campaign")
        is_told = data.get("new_campaign", "") == name
        if name and not is_told and not Campaign.objects.filter(name=name).exists():
            self.add_error("campaign", _("No campaign has this name. Import again to make it."))
        return data
