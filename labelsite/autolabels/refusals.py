"""What a request for a search asks that could not act: every door refuses it, and none passes it over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from labelsite.autolabels.parameters import METHOD_NAMES
from ml.search.named_options import FRESH
from ml.search.recipes import GUIDED, OF_SOME_METHODS, usual
from ml.search.self_critic import ASK

SELF_CONSISTENCY = "self-consistency"


def refusals(method: str, policy: str, acts_on: str, asked: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each setting that the method or the kind of input would not look at, by its name, and why in words.

    asked: by the names of the form's fields, what nobody said left out. The same as `python -m ml autolabel` refuses.
    """
    unused = {name for name in OF_SOME_METHODS if method not in usual(name, acts_on)}
    unused |= set() if method in GUIDED else {"value_model"}
    for name in sorted(unused & set(asked)):
        yield name, _("%(method)s does not use this.") % {"method": METHOD_NAMES.get(method, method)}
    if asked.get("self_critic") == ASK and policy == "pocket" and "self_critic" not in unused:
        yield "self_critic", _("The pocket policy only writes steps: it cannot be asked.")
    yield from _of_the_input(acts_on, asked)


def _of_the_input(acts_on: str, asked: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    is_graded_by_vote = asked.get("reference") == SELF_CONSISTENCY
    if acts_on == FRESH and is_graded_by_vote:
        yield "reference", _("A fresh problem's tree is graded against the reference answer.")
    elif "voters" in asked and not is_graded_by_vote:
        yield "voters", _("Nobody votes where rollouts are graded against the reference answer.")
    if acts_on == FRESH and "continuation_style" in asked:
        yield "continuation_style", _("Rollouts of a fresh problem are in the style of its solutions.")
    if acts_on != FRESH and "style" in asked:
        yield "style", _("Only solutions of fresh problems are written in a style of their own.")
