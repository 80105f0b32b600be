"""How literally fusion's posterior can be taken: held against gold that it does not see.

Where gold is known of a solution, its own witness is left out, and so is what a reviewer settled; what the others say
stays. Fusion is fitted on all solutions again, and what it says of each step of those is compared with the gold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ml.errors import MisstepError
from ml.evaluation.step_curves import calibration
from ml.formats import NAMELESS
from ml.snapshot import SnapshotRow
from ml.targets.fusion import Witnessed, fuse
from ml.targets.rules import LabelRule, is_bad_problem
from ml.targets.snapshot_rows import has_witness, witnessed
from ml.targets.unlabelled import has_evidence


@dataclass(frozen=True)
class Gold:
    """places: where the first mistake may be (None: nowhere). own_witnesses: whose word the gold is; one who is named
    after a format alone is taken for somebody else where any word of theirs is another than the gold's.
    """

    places: Sequence[int | None]
    own_witnesses: Set[str] = frozenset()


@dataclass
class PosteriorCheck:
    """Notes what witnesses say of each row, and then tells how well the posterior is calibrated. gold: by row id. What
    met no row, because an equal solution stands in its place, is counted.
    """

    rule: LabelRule
    gold: Mapping[str, Gold]
    _items: list[Witnessed] = field(default_factory=list)
    # Whether a name is the gold's own, all rows with gold have to say.
    _with_gold: list[tuple[SnapshotRow, Gold]] = field(default_factory=list)

    def noted(self, rows: Iterable[SnapshotRow], found: dict[str, Any]) -> Iterator[SnapshotRow]:
        """The same rows; after the last one, `found` has the figures."""
        for row in rows:
            self.note(row)
            yield row
        found.update(self.figures())

    def note(self, row: SnapshotRow) -> None:
        """Take a row into the fit."""
        if is_bad_problem(row.human) or not has_evidence(row):
            return
        if (gold := self.gold.get(row.id)) is None:
            self._items.append(witnessed(row, self.rule))
        else:
            _require_places(row, gold)
            self._with_gold.append((row, gold))

    def figures(self) -> dict[str, Any]:
        """As `posterior_calibration`, of a fit without the gold's own witnesses; empty where no solution with gold has
        another.
        """
        others = _somebody_else(self._with_gold)
        left = [(_without(row, gold.own_witnesses - others), gold) for row, gold in self._with_gold]
        heard = [(row, gold) for row, gold in left if has_witness(row, self.rule)]
        if not heard:
            return {}
        items = [*self._items, *(witnessed(row, self.rule) for row, _ in heard)]
        known = dict(enumerate((gold for _, gold in heard), len(self._items)))
        return {
            **posterior_calibration(items, known),
            "without_witness": len(left) - len(heard),
            "without_row": len(self.gold.keys() - {row.id for row, _ in left}),
        }


def _somebody_else(with_gold: Sequence[tuple[SnapshotRow, Gold]]) -> set[str]:
    """Names that tell a format and no person, and under which somebody says what the gold of that name does not."""
    said = (
        (name, place in gold.places)
        for row, gold in with_gold
        for name, place in ((row.human or {}).get("witnesses") or {}).items()
        if name in gold.own_witnesses
    )
    # Of several looks by nobody, the second and further ones are numbered.
    return {name for name, is_golds in said if name.partition(" ")[0] in NAMELESS and not is_golds}


def posterior_calibration(items: Sequence[Witnessed], gold: Mapping[int, Gold]) -> dict[str, Any]:
    """The figures of a fusion fitted on all items. gold: by the item's index; the items must not state it.

    `posterior`: that no step up to and with this one is wrong, for every step. `labels`: that this step is right given
    that those before it are, which is what is trained on, for the steps up to and with the first mistake.
    """
    fusion = fuse(items)
    through: list[tuple[float, bool]] = []
    labels: list[tuple[float, bool]] = []
    exact = 0
    for index, known in gold.items():
        count = items[index].step_count
        places = [count if place is None else place for place in known.places]
        first, last = min(places), max(places)
        exact += int(np.argmax(fusion.places[index])) in places
        chances = fusion.correct_through(index)
        for step, (before, chance) in enumerate(zip([1.0, *chances], chances, strict=False)):
            # Between the places that gold allows, nobody knows.
            if not first <= step < last:
                through.append((chance, step < first))
            if step < first or step == first == last:
                labels.extend([(min(1.0, chance / before), step < first)] if before > 0 else [])
    return {
        "solutions": len(gold),
        "exact": exact / len(gold),
        "posterior": _reliability(through),
        "labels": _reliability(labels),
    }


def _reliability(steps: Sequence[tuple[float, bool]]) -> dict[str, Any]:
    said = np.array([chance for chance, _ in steps])
    return {"steps": len(steps), **calibration(said, np.array([right for _, right in steps], dtype=bool))}


def _require_places(row: SnapshotRow, gold: Gold) -> None:
    for place in gold.places:
        if place is not None and not 0 <= place < len(row.steps):
            raise MisstepError(
                f"record {row.id}: gold at step {place} of {len(row.steps)}, expected one of them"
            )


def _without(row: SnapshotRow, names: Set[str]) -> SnapshotRow:
    """The row without these witnesses, and without a reviewer's word."""
    human = dict(row.human or {})
    if not human:
        return row
    witnesses = {name: said for name, said in (human.get("witnesses") or {}).items() if name not in names}
    if not witnesses:
        return replace(row, human=None)
    origins = [origin for origin in human.get("origins") or () if origin != "adjudication"]
    return replace(row, human={**human, "witnesses": witnesses, "origins": origins, "allowed": []})
