"""Runs side by side: what differs in what was asked of them, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labelsite.autolabels.templatetags.figures import counted, seconds
from labelsite.training.joining import joined_name
from labelsite.training.models import Checkpoint, Evaluation, EvaluationKind, TrainingRun
from labelsite.training.plots import choices
from labelsite.training.wording import MEASURES, said_all

Row = tuple[str, Sequence[object], bool]


def differences(runs: Sequence[TrainingRun]) -> list[Row]:
    """One row a setting: its name, each run's value, and whether they differ; what differs stands first."""
    settings = [(_settings(run), bool(_card(run))) for run in runs]
    names = dict.fromkeys(name for each, _is_whole in settings for name in each)
    return sorted((_difference(name, settings) for name in names), key=lambda row: not row[2])


def _difference(name: str, settings: Sequence[tuple[Mapping[str, object], bool]]) -> Row:
    """A run without a card has not said yet what it leaves at its default, so that differs from nothing."""
    known = [each.get(name) for each, is_whole in settings if is_whole or name in each]
    if len({repr(value) for value in known}) > 1:
        return name, [each.get(name) for each, _is_whole in settings], True
    return name, known[:1] * len(settings), False


def results(runs: Sequence[TrainingRun]) -> list[Row]:
    """What each run's card measured; the last entry says whether the values differ."""
    measured = [_results(run) for run in runs]
    names = dict.fromkeys(name for each in measured for name in each)
    return [(name, [each.get(name) for each in measured], False) for name in names]


def _settings(run: TrainingRun) -> dict[str, object]:
    card = _card(run)
    asked = {
        "snapshot": joined_name(run.snapshots),
        "labels": run.labels,
        "objective": run.objective,
        "base": run.base,
        "seed": run.seed,
    }
    # The card knows every setting, the defaults included; a run without one knows what was asked.
    settings = {**(card.get("config") or run.configuration), **(card.get("label_rule") or {})}
    settings.pop("labels", None)
    return flat(dict(said_all({**asked, **settings})))


def _results(run: TrainingRun) -> dict[str, object]:
    card = _card(run)
    if not card:
        return {}
    metrics = flat({**(card.get("metrics") or {}), "validation": run.checkpoint.validation})
    return {
        **{str(MEASURES.get(name, name)): value for name, value in metrics.items()},
        **_evaluated(run.checkpoint),
        _("Took"): seconds(card.get("seconds")),
    }


def _evaluated(checkpoint: Checkpoint) -> dict[str, object]:
    """The newest evaluation of each kind on each campaign, in the figure that compares: of all solutions, and of those
    of problems that it was not trained on, where there are some.
    """
    evaluations = checkpoint.evaluations.select_related("job").order_by("pk")
    newest = {(each.kind, each.data): each for each in evaluations if each.figures}
    found: dict[str, object] = {}
    for evaluation in newest.values():
        is_choice = evaluation.kind == EvaluationKind.BEST_OF_N
        found |= _best_of_n(evaluation) if is_choice else _first_mistakes(evaluation)
    return found


def _best_of_n(evaluation: Evaluation) -> dict[str, object]:
    """The row's name says how many problems and solutions: only among as many do two checkpoints compare."""
    best = next((choice for choice in choices(evaluation) if choice.rule == "product"), None)
    problems = (evaluation.figures or {}).get("problems", 0)
    if best is None:
        return {}
    name = ngettext(
        "best of %(n)s in %(data)s, on %(problems)s problem, by product",
        "best of %(n)s in %(data)s, on %(problems)s problems, by product",
        problems,
    )
    return {
        name % {"n": counted(best.n), "data": evaluation.data, "problems": counted(problems)}: best.accuracy
    }


def _first_mistakes(evaluation: Evaluation) -> dict[str, object]:
    names = {"data": evaluation.data}
    found = {_("F1 in %(data)s") % names: evaluation.held_out["f1"]}
    if evaluation.unseen:
        found[_("F1 in %(data)s, on problems that it was not trained on") % names] = evaluation.unseen["f1"]
    return found


def _card(run: TrainingRun) -> Mapping[str, Any]:
    checkpoint = getattr(run, "checkpoint", None)
    return checkpoint.card if checkpoint else {}


def flat(values: Mapping[str, Any], before: str = "") -> dict[str, object]:
    """Nested mappings as one, their names joined by spaces."""
    found: dict[str, object] = {}
    for name, value in values.items():
        words = f"{before} {name}".strip().replace("_", " ")
        if isinstance(value, Mapping):
            found |= flat(value, words)
        else:
            found[words] = ", ".join(map(str, value)) or None if isinstance(value, list) else value
    return found
