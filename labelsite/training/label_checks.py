"""What a run's label options make of the snapshot's labels, and which of them would change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext as _

from labelsite.snapshots.models import LabelSource, Snapshot
from labelsite.training.wording import listed, said
from labelsite.wording import translated
from ml.commands import rule_options
from ml.targets import LabelRule
from ml.targets.named_rules import decided_anew
from ml.targets.rules import CHOICES, SAYS, idle_parts, takes_shares_of_ends
from ml.training_choices import LEARN_LABELS_OF_STEPS
from ml.training_contradictions import contradictions_with_labels

# Said of every rule; the other parts only where they are not as usual.
_ALWAYS_SAID = ("neutral", "target", "threshold", "mixture")
_PARTS = (*_ALWAYS_SAID, "given_up", "after_mistake", "automatic_weight")


def asked_rule(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of the label rule that the form names; an empty field leaves them as they were frozen."""
    return {
        part: chosen[name] for name, part in rule_options.PARTS.items() if chosen.get(name) not in (None, "")
    }


def rule_of(snapshot: Snapshot, labels: str, asked: Mapping[str, Any]) -> tuple[str, bool]:
    """The rule in words, and whether no part of it changes without having been asked for.

    As `python -m ml train` decides: the frozen labels where nothing is asked, else every part that is not asked
    for takes its usual value, whatever the snapshot was frozen with.
    """
    frozen = snapshot.manifest.get("rule") or {}
    is_frozen, rule = _deciding(snapshot, labels, asked)
    parts = [part for part in _PARTS if labels in SAYS.get(part, CHOICES["labels"]) and part in rule]
    lost = [part for part in parts if part not in asked and frozen.get(part, rule[part]) != rule[part]]
    usual = LabelRule()
    told = [part for part in parts if part in _ALWAYS_SAID or rule[part] != getattr(usual, part)]
    words = listed(said(part, rule[part]) for part in told)
    if is_frozen:
        return (_("labels as they were frozen") + (f" · {words}" if words else "")), True
    return _("labels decided anew · %(rule)s") % {"rule": words}, not lost


def takes_second_opinion(
    snapshot: Snapshot, parts: Iterable[Snapshot], labels: str, asked: Mapping[str, Any]
) -> bool:
    """Whether some of the labels, in one of the parts, are rollouts' alone; the command refuses a second opinion on
    others."""
    _is_frozen, rule = _deciding(snapshot, labels, asked)
    mixture = rule.get("mixture", LabelRule.mixture)
    is_consensus = labels == "mixed" and mixture == "consensus"
    is_confirmed = is_consensus and any("second_verdicts" in part.manifest for part in parts)
    return is_confirmed or LabelRule(labels, mixture=mixture).has_labels_of_rollouts


def unsuited(snapshot: Snapshot, labels: str, chosen: Mapping[str, Any]) -> Iterator[str]:
    """Why such labels cannot teach what was asked for; the command refuses that."""
    rule = _known_rule(snapshot, labels, chosen)
    objective, classes = chosen.get("objective", "classifier"), chosen.get("classes") or 2
    for found in contradictions_with_labels(rule, objective, classes):
        yield translated(found.words)


def deciding_rule(snapshot: Snapshot, labels: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """The rule that decides the labels, with the parts that are known of it."""
    return _deciding(snapshot, labels, asked)[1]


def learns_shares_of_ends(
    snapshot: Snapshot, parts: Iterable[Snapshot], labels: str, chosen: Mapping[str, Any]
) -> str | None:
    """The method whose shares of distinct ends would be learned as success rates, in one of the parts; the command
    refuses that."""
    if chosen.get("objective", "classifier") not in LEARN_LABELS_OF_STEPS:
        return None
    rule = _known_rule(snapshot, labels, chosen)
    return next((method for part in parts if takes_shares_of_ends(rule, method := _method(part))), None)


def _method(snapshot: Snapshot) -> str | None:
    """What its rollouts were made by."""
    lineage = snapshot.manifest.get("lineage") or {}
    estimates = lineage.get("estimates")
    return estimates.get("method") if isinstance(estimates, dict) else lineage.get("method")


def _known_rule(snapshot: Snapshot, labels: str, chosen: Mapping[str, Any]) -> LabelRule:
    """What of the deciding rule says how ratings and rollouts become labels."""
    rule = deciding_rule(snapshot, labels, asked_rule(chosen))
    return LabelRule(
        labels, **{part: rule[part] for part in ("neutral", "target", "mixture") if part in rule}
    )


def _deciding(snapshot: Snapshot, labels: str, asked: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]]:
    """Whether the labels stay as they were frozen, and the rule that decides them."""
    if not asked and labels == snapshot.labels:
        return True, snapshot.manifest.get("rule") or {}
    return False, asdict(decided_anew(labels, asked, snapshot.manifest.get("rule") or {}))


def idle(labels: str, chosen: Mapping[str, Any]) -> Iterator[str]:
    """What was asked for and would do nothing in such labels; the command refuses it."""
    for part in idle_parts(labels, asked_rule(chosen)):
        yield _("“%(option)s” changes nothing in these labels") % {"option": said(part, None)[0]}


def idle_options(labels: str, chosen: Mapping[str, Any]) -> list[str]:
    """The same by the options' names."""
    parts = idle_parts(labels, asked_rule(chosen))
    return [name for name, part in rule_options.PARTS.items() if part in parts]


def doubts(labels: str, chosen: Mapping[str, Any]) -> Iterator[str]:
    """What was asked for and would do something else than its name says."""
    if chosen.get("classes") == 3 and labels == LabelSource.AUTOMATIC:
        yield _("rollouts never call a step neutral, so the third class would stay empty")
