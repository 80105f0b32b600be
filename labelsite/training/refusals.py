"""What a training would not look at, or could not have, in the reader's language: every door refuses the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

from django.utils.translation import gettext as _

from labelsite.jobs.model_folders import may_be_a_folder
from labelsite.training.options import options
from labelsite.training.wording import KINDS, label_of, said
from labelsite.wording import translated
from ml.errors import MisstepError
from ml.training_choices import NAMED_BASES
from ml.training_contradictions import Contradiction, acting, contradictions

Refusal = tuple[str, str]


def refusals(objective: str, base: str, chosen: Mapping[str, Any]) -> Iterator[Refusal]:
    """Each option that has nothing to do with what else was chosen, by its name, and why in words."""
    known = {name: chosen[name] for name in options() if name in chosen}
    for found in contradictions(objective, base, acting(known, lambda name: options()[name].default)):
        yield found.option, _in_words(found)


def _in_words(found: Contradiction) -> str:
    if found.words:
        return translated(found.words)
    called = label_of(found.other)
    if not found.wanted:
        return _("Only together with “%(option)s”.") % {"option": called}
    # What a form says of objectives explains them as well.
    values = [str(KINDS.get(value, said(found.other, value)[1])) for value in found.wanted]
    either = reduce(lambda one, other: _("%(one)s or %(other)s") % {"one": one, "other": other}, values)
    return _("Only where “%(option)s” is: %(values)s.") % {"option": called, "values": either}


def refuse_base(base: str) -> None:
    """Raises MisstepError for what can be no base, wherever the worker is."""
    if base not in NAMED_BASES and not may_be_a_folder(base):
        names = ", ".join(NAMED_BASES)
        raise MisstepError(_("%(names)s, or a model's folder by its whole path, please.") % {"names": names})
