"""What the numbers of a manifest are called on a page."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labelsite.annotations.known_answers import IMPORTED
from ml.targets.consensus import GIVEN_UP
from ml.targets.unlabelled import UNLABELLED

# In the order in which a page shows them.
NAMES: Mapping[str, str | Promise] = {
    "rows": gettext_lazy("solutions"),
    "steps": gettext_lazy("steps"),
    "labelled_steps": gettext_lazy("labelled steps"),
    "train": gettext_lazy("solutions to train on"),
    "validation": gettext_lazy("solutions for validation"),
    "test": gettext_lazy("solutions held out for tests"),
    UNLABELLED: gettext_lazy("solutions without labels, kept for their known answer"),
    "labels_by_annotator": gettext_lazy("solutions judged by this team"),
    "labels_by_adjudication": gettext_lazy("solutions decided by a reviewer"),
    "labels_by_checker": gettext_lazy("solutions judged by the checker"),
    GIVEN_UP: gettext_lazy("solutions rated until everybody gave up"),
    "gold_tasks": gettext_lazy("gold items"),
    "screening_tasks": gettext_lazy("screening items"),
    "set_aside_tasks": gettext_lazy("solutions set aside"),
    "bad_problems": gettext_lazy("solutions of problems reported as bad"),
    "annotations_of_excluded_labelers": gettext_lazy("annotations of excluded people"),
    "annotations_for_quality_control": gettext_lazy("imported screening and control items"),
    "annotations_unfinished": gettext_lazy("annotations that were given up and say nothing here"),
    "annotations_that_break_a_rule": gettext_lazy("imported annotations that break a label rule"),
    "solutions_without_evidence": gettext_lazy("solutions that nobody judged"),
    "solutions_without_usable_steps": gettext_lazy("solutions without usable steps"),
    "solutions_without_labels": gettext_lazy("solutions on which the rule leaves no label"),
    "solutions_without_agreement": gettext_lazy("solutions on which people and rollouts do not agree"),
    "solutions_contradicted_by_second_method": gettext_lazy("solutions on which two methods do not agree"),
    "solutions_without_second_verdict": gettext_lazy("solutions on which a second method has no verdict"),
}


def in_words(numbers: Mapping[str, int]) -> list[tuple[str, int]]:
    """A manifest's counts in words, in a fixed order (the database keeps none)."""
    known = [(str(NAMES[name]), numbers[name]) for name in NAMES if name in numbers]
    others = sorted(set(numbers) - set(NAMES))
    return known + [(_labels_by(name), numbers[name]) for name in others]


def _labels_by(name: str) -> str:
    source = name.removeprefix("labels_by_")
    if source == name:
        return name.replace("_", " ")
    return _("solutions judged in %(source)s") % {"source": source.removeprefix(IMPORTED)}
