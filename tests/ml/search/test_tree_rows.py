"""A search's trees as snapshot rows: nothing that its own pairs are made of is lost."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ml.commands.snapshot import main
from ml.errors import BadRecord, MisstepError
from ml.search import omegaprm
from ml.search.pairs import preference_pairs
from ml.search.tree import Tree
from ml.search.tree_rows import rows_from_trees
from ml.snapshot import SnapshotRow, write_snapshot
from ml.targets import LabelRule
from tests.ml.search.scripted import grow, load
from tests.ml.search.toy import ChainPolicy, chain_problem, run

AUTOMATIC = LabelRule("automatic")


def written(path: Path, *trees: Tree) -> list[dict[str, Any]]:
    lines = [tree.as_json() for tree in trees]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return lines


def rows_of(path: Path) -> tuple[list[SnapshotRow], Counter[str]]:
    dropped: Counter[str] = Counter()
    return list(rows_from_trees(path, AUTOMATIC, dropped)), dropped


def test_every_graded_trajectory_is_a_row_with_the_q_of_each_step(tmp_path, monkeypatch):
    tree, _ = grow(load("rstar.json"), monkeypatch)
    written(tmp_path / "trees.jsonl", tree)
    rows, dropped = rows_of(tmp_path / "trees.jsonl")
    ends = {f"{tree.problem.id}/{end.id}": end for end in tree.terminals() if end.visits}
    assert {row.id for row in rows} == set(ends) and not dropped
    for row in rows:
        path = tree.path(ends[row.id])[1:]
        assert row.steps == [node.text for node in path]
        assert row.automatic is not None
        assert row.automatic["q_value"] == [node.q_value for node in path]
        # Without a preference model, Q from -1 to 1 is the share of right ends.
        assert [2 * share - 1 for share in row.automatic["soft"]] == pytest.approx(row.automatic["q_value"])
        assert row.is_correct == (ends[row.id].terminal == "correct")
        assert row.problem_id == tree.problem.id and row.answer == tree.problem.answer
    compared = {"|".join(pair.prefix + pair.chosen) for pair in preference_pairs(tree)}
    prefixes = {"|".join(row.steps[:k]) for row in rows for k in range(1, len(row.steps) + 1)}
    assert compared and compared <= prefixes


def test_the_wrong_step_of_a_trajectory_is_its_first_mistake(tmp_path, monkeypatch):
    tree, _ = grow(load("rstar.json"), monkeypatch)
    written(tmp_path / "trees.jsonl", tree)
    for row in rows_of(tmp_path / "trees.jsonl")[0]:
        assert row.automatic is not None
        hard = row.automatic["hard"]
        assert row.first_mistake == (hard.index(0) if 0 in hard else None)


def test_probed_steps_on_no_trajectory_hang_beside_the_first_row_with_their_share(tmp_path):
    tree = run(omegaprm.search(chain_problem(*range(1, 10)), omegaprm.OmegaPrm(), 0), ChainPolicy(0.1))
    end = next(end for end in tree.terminals() if end.visits)
    beside = tree.add(tree.nodes[end.parent], "a step that nothing was kept of")
    beside.visits, beside.graded, beside.correct, beside.value_sum = 4, 4, 1, 1.0
    unseen = tree.add(tree.nodes[end.parent], "a step that nobody went through")
    written(tmp_path / "trees.jsonl", tree)
    rows, _ = rows_of(tmp_path / "trees.jsonl")
    (option,) = [one for row in rows for one in row.options if one["text"] == beside.text]
    assert option == {"position": beside.depth - 1, "text": beside.text, "rating": None, "q_value": 0.25}
    assert unseen.text not in [one["text"] for row in rows for one in row.options]


def test_trees_of_problems_with_one_text_are_of_one_problem(tmp_path, monkeypatch):
    tree, _ = grow(load("rstar.json"), monkeypatch)
    (line,) = written(tmp_path / "trees.jsonl", tree)
    empty = {**line, "id": "open", "nodes": line["nodes"][:1]}
    lines = [line, {**line, "id": "again"}, empty]
    (tmp_path / "trees.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    rows, dropped = rows_of(tmp_path / "trees.jsonl")
    assert {row.problem_id for row in rows} == {tree.problem.id} and len({row.id for row in rows}) == len(
        rows
    )
    assert dropped == {"trees_without_a_graded_end": 1}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"graded": None}, "graded None, expected a whole number"),
        ({"graded": 0, "correct": 1}, "1 correct of 0 graded"),
        ({"q_value": 1.5}, "q_value 1.5, expected a number between -1 and 1"),
        ({"text": 7}, "node 1 without text"),
    ],
)
def test_a_tree_that_cannot_be_is_refused_with_its_line(tmp_path, monkeypatch, change, complaint):
    tree, _ = grow(load("rstar.json"), monkeypatch)
    (line,) = written(tmp_path / "trees.jsonl", tree)
    line["nodes"][1] |= change
    (tmp_path / "trees.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(BadRecord) as error:
        rows_of(tmp_path / "trees.jsonl")
    assert complaint in str(error.value)


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ("answer", "answer ['x'], expected a text or null"),
        ("final_answer", "final_answer {'x': 1}, expected"),
    ],
)
def test_an_answer_that_is_no_text_is_refused_with_its_line(tmp_path, monkeypatch, place, complaint):
    tree, _ = grow(load("rstar.json"), monkeypatch)
    (line,) = written(tmp_path / "trees.jsonl", tree)
    if place == "answer":
        line["answer"] = ["x"]
    else:
        line["nodes"][-1]["final_answer"] = {"x": 1}
    (tmp_path / "trees.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(BadRecord) as error:
        rows_of(tmp_path / "trees.jsonl")
    assert "trees.jsonl:1" in str(error.value) and complaint in str(error.value)


def test_halves_of_surrogate_pairs_are_replaced_so_that_the_rows_can_be_written(tmp_path, monkeypatch):
    tree, _ = grow(load("rstar.json"), monkeypatch)
    (line,) = written(tmp_path / "trees.jsonl", tree)
    line |= {"id": "p\ud83d", "problem": line["problem"] + " \ud83d"}
    for node in line["nodes"][1:]:
        node["text"] += " \ud83d"
    (tmp_path / "trees.jsonl").write_text(json.dumps(line) + "\n")
    rows, _ = rows_of(tmp_path / "trees.jsonl")
    assert rows and all(row.problem.endswith(" \N{REPLACEMENT CHARACTER}") for row in rows)
    assert write_snapshot(tmp_path / "snap", rows)


def test_a_tree_whose_nodes_do_not_tell_their_ends_is_refused(tmp_path, monkeypatch):
    tree, _ = grow(load("rstar.json"), monkeypatch)
    (line,) = written(tmp_path / "trees.jsonl", tree)
    del line["nodes"][0]["graded"]
    (tmp_path / "trees.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(BadRecord, match="node 0 without graded, expected trees of python -m ml autolabel"):
        rows_of(tmp_path / "trees.jsonl")


def test_shares_of_the_distinct_ends_of_a_tree_are_no_labels(tmp_path, monkeypatch):
    tree, _ = grow(load("rstar.json"), monkeypatch)
    written(tmp_path / "trees.jsonl", tree)
    with pytest.raises(MisstepError, match="--target soft with estimates of rstar"):
        list(rows_from_trees(tmp_path / "trees.jsonl", LabelRule("automatic", target="soft"), Counter()))


def test_trees_through_a_pipe_are_frozen_whole_and_nothing_vouches_for_them(tmp_path, monkeypatch):
    tree, _ = grow(load("rstar.json"), monkeypatch)
    written(tmp_path / "trees.jsonl", tree)
    content = (tmp_path / "trees.jsonl").read_bytes()

    def freeze(out):
        reading, writing = os.pipe()
        os.write(writing, content)
        os.close(writing)
        main(["--trees", f"/dev/fd/{reading}", "--out", str(out)])
        os.close(reading)
        return json.loads((out / "manifest.json").read_text())

    main(["--trees", str(tmp_path / "trees.jsonl"), "--out", str(tmp_path / "file")])
    manifest = freeze(tmp_path / "pipe")
    assert manifest["counts"] == json.loads((tmp_path / "file/manifest.json").read_text())["counts"]
    assert "settings" not in manifest
    with pytest.raises(MisstepError, match="already holds files"):
        freeze(tmp_path / "pipe")
