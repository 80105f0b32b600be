"""What a reviewer or admin may send to these pages."""

from __future__ import annotations

from collections.abc import Iterable

from django import forms
from django.utils.translation import gettext_lazy as _

from labelsite.comparison.evidence import NONE


class AdjudicationForm(forms.Form):
    """Acceptable first-mistake positions (0-based, -1 for none), and why."""

    positions = forms.TypedMultipleChoiceField(label=_("First mistake"), coerce=int, required=False)
    note = forms.CharField(
        label=_("Why"), max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    make_gold = forms.BooleanField(required=False)
    # The decision that stood when the page was shown, 0 for none.
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: object, step_count: int, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        field = self.fields["positions"]
        assert isinstance(field, forms.TypedMultipleChoiceField)
        field.choices = [(NONE, _("no mistake")), *((place, place + 1) for place in range(step_count))]

    def marked(self, decided: Iterable[int]) -> set[str]:
        """The values of the boxes that are ticked: what was sent, or else what was decided before."""
        return set(map(str, self["positions"].value() or () if self.is_bound else decided))

    def clean_positions(self) -> list[int]:
        positions: list[int] = self.cleaned_data["positions"]
        if not positions:
            raise forms.ValidationError(_("Mark at least one step, or “no mistake”."))
        return positions
