from __future__ import annotations

from typing import Any, cast

from django import forms
from django.db.models import Exists, Manager, OuterRef
from django.utils.translation import gettext_lazy as _

from labelsite.autolabels.models import EstimateRun, ScoreRun, SolutionEstimate
from labelsite.campaigns.models import Campaign

# Every field of the form, under what it decides.
GROUPS = [
    (_("The work"), ["name", "protocol", "guideline", "asks_reason", "shows_reference_solution"]),
    (_("Machine labels"), ["exposure", "estimate_run", "score_run"]),
    (_("People and queue"), ["is_for_everyone", "overlap", "adaptive_overlap", "ordering"]),
    (_("Gold and screening"), ["gold_rate", "screening_size", "screening_threshold"]),
    (_("Afterwards"), ["allows_editing", "shows_agreement"]),
]

# The browser says so before anything is sent; the server checks it all the same.
SHARE = {"min": 0, "max": 1, "step": "any"}


def _name(obj: Any) -> str:
    return str(obj.name)


class CampaignForm(forms.ModelForm):
    class Meta:
        model = Campaign
        fields = [
            "name", "is_for_everyone", "protocol", "exposure", "ordering", "overlap", "adaptive_overlap", "guideline",
            "asks_reason", "allows_editing", "shows_agreement", "shows_reference_solution",
            "gold_rate", "screening_size", "screening_threshold", "estimate_run", "score_run",
        ]  # fmt: skip
        labels = {
            "name": _("Name"),
            "is_for_everyone": _("Every annotator may label here"),
            "protocol": _("Protocol"),
            "exposure": _("Machine labels are shown"),
            "ordering": _("Order of the queue"),
            "overlap": _("People per solution"),
            "adaptive_overlap": _("Adaptive: 1, then 3, then 5 people, until three agree"),
            "guideline": _("Guideline"),
            "asks_reason": _("Ask what is wrong with the step"),
            "allows_editing": _("People may change what they submitted"),
            "shows_agreement": _("People see how often they agree with others"),
            "shows_reference_solution": _("Show the reference solution"),
            "gold_rate": _("Share of gold items mixed in (0 to 1)"),
            "screening_size": _("Screening items before real work"),
            "screening_threshold": _("Share right to be admitted (0 to 1)"),
            "estimate_run": _("Estimates beside the steps"),
            "score_run": _("Scores beside the steps and for the order"),
        }
        help_texts = {
            "is_for_everyone": _(
                "Also whoever becomes an annotator later. Without it, only the members whom you choose."
            ),
            "exposure": _("Blind labels are the ones to trust when people and machines are compared."),
            "adaptive_overlap": _(
                "Switched on later, it reaches open tasks only: what is done by then stays done."
            ),
            "guideline": _(
                "Shown beside every task, together with the decision chart. Formulas as $…$; # heading, **bold**,"
                " *italics*, - list, `code`, [link](https://…)."
            ),
            "shows_agreement": _(
                "By what everybody said at first, ten pairs of labels at a time: it tells of no single one."
            ),
            "estimate_run": _("Only a finished search of given solutions can be chosen."),
            "score_run": _("Only a finished scoring can be chosen."),
        }
        error_messages = {"name": {"unique": _("Another campaign already has this name.")}}
        widgets = {
            "guideline": forms.Textarea(attrs={"rows": 5}),
            "gold_rate": forms.NumberInput(attrs=SHARE),
            "screening_threshold": forms.NumberInput(attrs=SHARE),
            "overlap": forms.NumberInput(attrs={"min": 1, "max": 100}),
        }

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The fields as the page shows them: what belongs together under one heading."""
        return [(str(title), [self[name] for name in names]) for title, names in GROUPS]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["estimate_run"].required = self.fields["score_run"].required = False
        # Only a person who changes settings reads these lists, and the newest runs are the ones they want.
        for name, model in (("estimate_run", EstimateRun), ("score_run", ScoreRun)):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            current = getattr(self.instance, f"{name}_id")
            # One that failed or still works would leave the page without what it was chosen for.
            runs = cast("Manager[Any]", model._default_manager).filter(loaded_at__isnull=False)
            if model is EstimateRun:
                # A pilot has a cost and no estimates; a search of fresh problems has trees.
                runs = runs.filter(Exists(SolutionEstimate.objects.filter(run=OuterRef("pk"))))
            newest = list(runs.order_by("-pk").values_list("pk", flat=True)[:100])
            field.queryset = model._default_manager.filter(pk__in=[*newest, current]).order_by("-pk")
            field.label_from_instance = _name  # type: ignore[method-assign]
        if not self.instance.pk:
            self.initial["is_for_everyone"] = True
        if self.instance.pk:
            self._remember_what_was_shown()

    def _remember_what_was_shown(self) -> None:
        """While a person reads the page a job may change the same settings: the page says what it has shown."""
        for name, field in self.fields.items():
            field.show_hidden_initial = not self.is_bound or self.add_initial_prefix(name) in self.data

    def changes(self) -> dict[str, Any]:
        """What the person has changed, and nothing of what the page has only shown."""
        return {name: self.cleaned_data[name] for name in self.changed_data}

    def _share(self, name: str) -> float:
        value: float = self.cleaned_data[name]
        if not 0 <= value <= 1:
            raise forms.ValidationError(_("A share from 0 to 1."))
        return value

    def clean_gold_rate(self) -> float:
        return self._share("gold_rate")

    def clean_screening_threshold(self) -> float:
        return self._share("screening_threshold")

    def clean_overlap(self) -> int:
        value: int = self.cleaned_data["overlap"]
        if not 1 <= value <= 100:
            raise forms.ValidationError(_("From 1 to 100 people."))
        return value


class GoldForm(forms.Form):
    """Turns a task into gold, screening or work again. Positions are typed 1-based, as people count."""

    kind = forms.ChoiceField(choices=[("work", "work"), ("gold", "gold"), ("screening", "screening")])
    positions = forms.CharField(required=False, max_length=200)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        data["gold"] = []
        for part in data.get("positions", "").replace(",", " ").split():
            if part in ("-", "0", "none"):
                data["gold"].append(-1)
            elif part.isdecimal() and len(part) < 5:
                data["gold"].append(int(part) - 1)
            else:
                raise forms.ValidationError(_("Steps are whole numbers; “none” stands for no mistake."))
        if data.get("kind") != "work" and not data["gold"]:
            raise forms.ValidationError(_("A gold item needs the steps that are reasonable to mark."))
        return data
