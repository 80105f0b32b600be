"""rStar-Math's rounds from the shell: each round's trees train the preference model that guides the next one's."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ml.__main__ import main
from ml.commands.snapshot import main as snapshot
from ml.errors import MisstepError
from ml.prm.bases import POCKET_CONTEXT, pocket_layout, pocket_tokenizer
from ml.prm.merged import MergedTree
from ml.prm.preferences import PairChoices, PairFinder
from ml.prm.tokenization import StepTokenizer
from ml.snapshot import SnapshotRow, read_snapshot
from ml.targets import LabelRule

pytest.importorskip("torch")

SEARCH = ["--problems", "pocket:3:seed=2", "--style", "code", "--method", "rstar", "--policy", "pocket"]
SMALL = ["--rollouts", "8", "--candidates", "4"]
BRIEFLY = ["--objective", "preference", "--steps", "2", "--batch-size", "2", "--too-long", "drop"]


def searched(out: Path, *guide: str) -> None:
    assert main(["autolabel", *SEARCH, *SMALL, *guide, "--out", str(out)]) == 0


def frozen(trees: Path, out: Path) -> list[SnapshotRow]:
    assert main(["snapshot", "--trees", str(trees / "trees.jsonl"), "--out", str(out)]) == 0
    return list(read_snapshot(out))


def compared(rows: list[SnapshotRow]) -> Counter[Any]:
    """What a preference model would learn from the rows, as the lines of a search's pairs.jsonl count."""
    tokenizer = StepTokenizer(pocket_tokenizer(None), pocket_layout(POCKET_CONTEXT, (), None))
    found: Counter[Any] = Counter()
    for name in {row.problem_id for row in rows}:
        own = [row for row in rows if row.problem_id == name]
        tree = MergedTree(own, tokenizer, LabelRule("automatic"))
        for row in own:
            tree.take(row, Counter())
        for pairs in PairFinder(tree, PairChoices()).by_parent():
            found.update((name, round(2 * pair.margin, 6), round(1 / pair.weight)) for pair in pairs)
    return found


def own_pairs(folder: Path) -> Counter[Any]:
    lines = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]
    return Counter((one["id"], round(one["margin"], 6), one["pos_count"] * one["neg_count"]) for one in lines)


def test_a_round_s_trees_train_the_model_that_guides_the_next_round(tmp_path: Path, capsys: Any) -> None:
    guide: list[str] = []
    for number in (1, 2, 3):
        found, snapshot = tmp_path / f"round{number}", tmp_path / f"snap{number}"
        searched(found, *guide)
        run = json.loads((found / "run.json").read_text())
        assert bool(run["value_model"]) == bool(guide)
        rows = frozen(found, snapshot)
        # The model learns from what the search itself would have paired, round by round.
        assert compared(rows) == own_pairs(found) and own_pairs(found)
        checkpoint = tmp_path / f"ppm{number}"
        assert main(["train", "--snapshot", str(snapshot), *BRIEFLY, "--out", str(checkpoint)]) == 0
        card = json.loads((checkpoint / "card.json").read_text())
        assert (card["objective"], card["label_rule"]["labels"]) == ("preference", "automatic")
        assert card["counts"]["pairs"] > 0
        guide = ["--value-model", str(checkpoint)]


def test_what_rows_of_trees_have_no_part_in_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trees.jsonl").write_text("")
    given = ["--trees", str(tmp_path / "trees.jsonl"), "--out", str(tmp_path / "out")]
    for extra, complaint in (
        (("--labels", "human"), "--labels human with --trees, expected automatic"),
        (("--estimates", "estimates.jsonl"), "--estimates with --trees, expected --solutions with it"),
        (("--format", "records"), "--format with --trees, expected --solutions with it"),
        ((), "automatic labels are on none of its solutions"),
    ):
        with pytest.raises(MisstepError, match=complaint):
            snapshot([*given, *extra])
    assert not (tmp_path / "out").exists()
