"""Several snapshots, read as one: what is trained on all of them together.

A problem falls into the same split in each by its text, unless one was frozen as a split of its own: what then stands
in two is all there to be seen, and refused as a leak.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ml.errors import MisstepError
from ml.snapshot import Snapshot, SnapshotRow, combined_hash, problem_hash
from ml.targets.named_rules import without_idle_parts
from ml.targets.rules import LabelRule
from ml.targets.snapshot_rows import frozen_rule

REPEATED = "repeated_solutions"
# What a joined manifest says where its snapshots were frozen with labels of several kinds, or by several rules.
SEVERAL = "several"


@dataclass(frozen=True)
class JoinedSnapshot(Snapshot):
    """Iterating it streams the rows of each. A solution of an earlier one is passed over, and counted in `left_out`.

    is_relabelled: the labels are made anew of the evidence, which then has to be the same as well.
    """

    parts: Sequence[Snapshot] = ()
    is_relabelled: bool = False
    left_out: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[SnapshotRow]:
        self.left_out.clear()
        known: dict[bytes, set[bytes]] = {}
        for number, part in enumerate(self.parts, start=1):
            own: dict[bytes, set[bytes]] = {}
            for row in part:
                key, said = _digest([problem_hash(row.problem), row.steps, row.split]), self._said(row)
                if key in known:
                    self._refuse_contradiction(row, part, said in known[key])
                    self.left_out[REPEATED] += 1
                    continue
                own.setdefault(key, set()).add(said)
                # Numbers of one site or file say nothing of those of another.
                yield replace(row, id=f"{number}:{row.id}", problem_id=problem_hash(row.problem))
            known.update(own)

    def on_card(self) -> dict[str, Any]:
        """What a card says of the snapshots: each one's hash and name, and how many solutions were there twice."""
        parts = [{"sha256": part.sha256, "name": part.manifest.get("name", "")} for part in self.parts]
        return {"snapshots": parts, REPEATED: self.left_out[REPEATED]}

    def _said(self, row: SnapshotRow) -> bytes:
        if not self.is_relabelled:
            return _digest([row.labels, row.options])
        # The posterior is made anew of the rest as labels are, from all solutions together.
        human = {name: said for name, said in (row.human or {}).items() if name != "posterior"}
        return _digest([row.options, human, row.automatic])

    def _refuse_contradiction(self, row: SnapshotRow, part: Snapshot, is_same: bool) -> None:
        if not is_same:
            what = "evidence" if self.is_relabelled else "labels"
            raise MisstepError(
                f"{part.folder}: record {row.id} has other {what} than in a snapshot before it, expected the same:"
                " freeze the two together, or leave one out"
            )


def joined_manifest(manifests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is known of snapshots together; their labels are SEVERAL where they were frozen by different rules."""
    rules = [_rule_of(manifest) for manifest in manifests]
    is_alike = all(rule == rules[0] for rule in rules)
    return {
        "name": " + ".join(str(manifest.get("name", "")) for manifest in manifests),
        "labels": rules[0].labels if is_alike else SEVERAL,
        "rule": manifests[0].get("rule") if is_alike else None,
        "sha256": combined_hash(manifest["sha256"] for manifest in manifests),
    }


def join(parts: Sequence[Snapshot], labels: str | None, asked: Mapping[str, Any]) -> JoinedSnapshot:
    """These snapshots as one. labels, asked: what was asked of their labels.

    Raises MisstepError for one that is there twice, and for labels frozen by different rules where nobody says by which
    one they should be made.
    """
    for hash, count in Counter(part.sha256 for part in parts).items():
        if count > 1:
            raise MisstepError(f"snapshot {hash} {count} times, expected each once")
    manifest = joined_manifest([part.manifest for part in parts])
    if manifest["labels"] == SEVERAL and labels is None:
        raise MisstepError(
            "snapshots whose labels were frozen by different rules"
            f" ({', '.join(str(part.folder) for part in parts)}), expected --labels with them, which makes all anew by"
            " one rule"
        )
    is_relabelled = bool(asked) or manifest["labels"] == SEVERAL or labels not in (None, manifest["labels"])
    return JoinedSnapshot(parts[0].folder, manifest, parts, is_relabelled)


def _rule_of(manifest: Mapping[str, Any]) -> LabelRule:
    return without_idle_parts(frozen_rule(manifest, str(manifest.get("labels", LabelRule.labels))))


def _digest(value: Any) -> bytes:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()[:16]
