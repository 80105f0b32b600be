"""A second opinion on what rollouts said: labels that an earlier model cannot believe are left out.

Rollouts blame a right step when the policy fails behind it for reasons of its own, and pass a wrong one when two
slips cancel. A model trained on such labels learns what most of them agree on and doubts the rest; where it is sure
and the label says otherwise, the label is more often wrong than the model. Leaving those out is confident learning
(Northcutt et al. 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels"), here by solutions and with
two thresholds. What people said is never left out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ml.errors import MisstepError
from ml.file_hash import sha256_of
from ml.prm.distributed import Group
from ml.prm.score import TOKENS_PER_ROW, Unscored, load_scorer
from ml.progress import Progress
from ml.snapshot import SnapshotRow
from ml.targets import LabelRule
from ml.training_choices import DOUBTFUL, SURE
from ml.whole_file import whole_file


@dataclass(frozen=True)
class SecondOpinion:
    """checkpoint: an earlier classifier. A step named as the first mistake is disbelieved above a score of `sure`,
    one that counts as right below `doubtful`."""

    checkpoint: Path
    sure: float = SURE
    doubtful: float = DOUBTFUL

    def on_card(self) -> dict[str, Any]:
        """What the card says: which weights, by their manifest's hash, and the thresholds. MisstepError where there
        is no checkpoint."""
        manifest = self.checkpoint / "manifest.json"
        if not manifest.is_file():
            raise MisstepError(
                f"--second-opinion {self.checkpoint} is no checkpoint, expected a folder with one"
            )
        return {"manifest_sha256": sha256_of(manifest), "sure": self.sure, "doubtful": self.doubtful}


def refuse_useless(rule: LabelRule, rows: Sequence[SnapshotRow]) -> None:
    """Raises MisstepError where no label is the rollouts' own, by the rule and in these rows."""
    if rule.has_labels_of_rollouts or any("automatic" in row.label_source for row in rows):
        return
    found = rule.labels if rule.labels == "human" else f"{rule.labels} by {rule.mixture}"
    raise MisstepError(
        f"--second-opinion with labels {found}, expected automatic ones, or mixed by people_override,"
        " agreement_weighted, or consensus with a second method"
    )


def disbelieved(
    rows: Sequence[SnapshotRow],
    opinion: SecondOpinion,
    group: Group,
    kept: Path,
    key: Mapping[str, Any],
    tokens_per_row: int = TOKENS_PER_ROW,
) -> dict[str, Any]:
    """Which rows the earlier model cannot believe, found once for a run: {"places", "asked_rows", "unasked_steps"}.

    Each process asks about its share, and all hear what all found. It is in the file `kept` under `key`: a run that
    goes on, on another machine or with other threads, must not see other data. tokens_per_row: of the training, whose
    rows a device has room for.
    """
    known = group.first_does(lambda: _known(kept, key))
    if known is not None:
        return known
    parts = group.gathered(_asked(rows, opinion, group, min(tokens_per_row, TOKENS_PER_ROW)))

    def keep() -> dict[str, Any]:
        found = {
            "places": sorted(place for part in parts for place in part["places"]),
            **{name: sum(part[name] for part in parts) for name in ("asked_rows", "unasked_steps")},
        }
        with whole_file(kept) as stream:
            json.dump({"key": key, **found}, stream)
        return found

    return group.first_does(keep)


def without(rows: Sequence[SnapshotRow], found: Mapping[str, Any], counts: Counter[str]) -> list[SnapshotRow]:
    """The rows, the disbelieved ones without the labels that rollouts gave; `counts` gains what was found."""
    counts["opinion_rows"] += found["asked_rows"]
    counts["disbelieved_rows"] += len(found["places"])
    counts["opinion_unasked_steps"] += found["unasked_steps"]
    left = list(rows)
    for place in found["places"]:
        left[place] = without_rollouts(rows[place])
    return left


def without_rollouts(row: SnapshotRow) -> SnapshotRow:
    """The row with people's labels alone. Its first mistake is none where rollouts had named it."""
    is_theirs = [source == "automatic" for source in row.label_source]
    named_by_them = row.first_mistake is not None and is_theirs[row.first_mistake]
    return replace(
        row,
        labels=[None if own else label for own, label in zip(is_theirs, row.labels, strict=True)],
        label_source=[
            None if own else source for own, source in zip(is_theirs, row.label_source, strict=True)
        ],
        first_mistake=None if named_by_them else row.first_mistake,
    )


def is_believed(row: SnapshotRow, scores: Sequence[float | None], opinion: SecondOpinion) -> bool:
    """Whether no label that rollouts gave is denied by a sure score. A step without a score is believed.

    Up to the first mistake alone: behind it a step has no verdict to deny, and the earlier model none to give. A
    step before it counts as right, whatever its share. Where none was named a low share is no word that a low score
    could deny: the two say the same.
    """
    first = row.first_mistake
    judged = scores if first is None else scores[: first + 1]
    for place, score in enumerate(judged):
        if row.label_source[place] != "automatic" or score is None:
            continue
        if place == first:
            is_denied = score > opinion.sure
        else:
            is_denied = score < opinion.doubtful and (first is not None or _is_right(row.labels[place]))
        if is_denied:
            return False
    return True


def _is_right(label: float | None) -> bool:
    return label is not None and label > 0.5


def _asked(
    rows: Sequence[SnapshotRow], opinion: SecondOpinion, group: Group, tokens_per_row: int
) -> dict[str, Any]:
    """What this process finds in its share of the rows.

    Raises MisstepError for a checkpoint that is not whole or no classifier.
    """
    scorer = load_scorer(opinion.checkpoint, group.device)
    objective = scorer.card["objective"]
    if objective != "classifier":
        raise MisstepError(
            f"--second-opinion {opinion.checkpoint} has objective {objective}, expected classifier"
        )
    theirs = [place for place, row in enumerate(rows) if "automatic" in row.label_source]
    asked = group.share(theirs, [sum(map(len, _judged_steps(rows[place]))) for place in theirs])
    waiting = (Unscored(str(place), rows[place].problem, _judged_steps(rows[place])) for place in asked)
    progress = Progress("second opinions", len(asked))
    places: list[int] = []
    for done, (name, scores) in enumerate(scorer.score_all(waiting, tokens_per_row), start=1):
        if not is_believed(rows[int(name)], scores, opinion):
            places.append(int(name))
        if group.is_first:
            progress.report(done)
    return {"places": places, "asked_rows": len(asked), "unasked_steps": scorer.truncated}


def _judged_steps(row: SnapshotRow) -> Sequence[str]:
    """The steps up to the first mistake, which a later one cannot change the score of."""
    return row.steps if row.first_mistake is None else row.steps[: row.first_mistake + 1]


def _known(kept: Path, key: Mapping[str, Any]) -> dict[str, Any] | None:
    """What an earlier start of the same run found, None where there was none."""
    if not kept.exists():
        return None
    body: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return body if body.pop("key") == key else None


def key_of(snapshot: str, rule: LabelRule, limit: int | None, said: Mapping[str, Any]) -> dict[str, Any]:
    """All that decides which rows are asked about, and whom."""
    return {"snapshot": snapshot, "rule": asdict(rule), "limit": limit, "opinion": dict(said)}
