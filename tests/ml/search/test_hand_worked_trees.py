"""Trees worked by hand (tests/ml/search/trees), reproduced node for node."""

import pytest

from ml.search.pairs import PairRules, edit_distance, preference_pairs
from ml.search.rest_mcts import infer_targets
from ml.search.tree import Tree
from tests.ml.search.scripted import by_path, grow, load

GROWN = [
    "rstar.json",
    "rstar_preference_model.json",
    "rstar_code_variants.json",
    "rest_mcts.json",
    "omegaprm.json",
    "math_shepherd.json",
]


@pytest.mark.parametrize("name", GROWN)
def test_a_hand_worked_tree_is_reproduced_node_for_node(name, monkeypatch):
    script = load(name)
    tree, _ = grow(script, monkeypatch)
    nodes = by_path(tree)
    for path, expected in script["nodes"].items():
        for key, value in expected.items():
            found = nodes[path][key]
            assert found == (pytest.approx(value) if isinstance(value, float) else value), (path, key)


@pytest.mark.parametrize("name", ["rstar.json", "rstar_preference_model.json"])
def test_ends_are_reached_in_the_order_worked_by_hand(name, monkeypatch):
    script = load(name)
    reached: list[str] = []
    for rollouts in range(1, len(script["ends_in_order"]) + 1):
        tree, _ = grow(script, monkeypatch, rollouts=rollouts)
        visited = {"/".join(tree.steps(end)) for end in tree.terminals() if end.visits}
        reached.extend(visited.difference(reached))
    assert reached == script["ends_in_order"]


def test_omegaprm_probes_the_prefixes_in_the_order_worked_by_hand(monkeypatch):
    script = load("omegaprm.json")
    _, policy = grow(script, monkeypatch)
    assert policy.asked == script["asked_in_order"]


def test_preference_pairs_are_those_worked_by_hand(monkeypatch):
    script = load("rstar.json")
    tree, _ = grow(script, monkeypatch)
    found = [
        ["/".join(pair.prefix), "|".join(pair.chosen), "|".join(pair.rejected), pytest.approx(pair.margin)]
        for pair in preference_pairs(tree)
    ]
    assert found == script["pairs"]


def test_pairs_can_be_filtered_by_margin_and_by_edit_distance(monkeypatch):
    tree, _ = grow(load("rstar.json"), monkeypatch)
    assert {pair.margin for pair in preference_pairs(tree, PairRules(least_margin=1.5))} == {2.0}
    assert preference_pairs(tree, PairRules(least_edit_distance=200)) == []


def test_targets_are_inferred_from_the_pruned_tree_as_worked_by_hand():
    script = load("rest_mcts_targets.json")
    tree = Tree(script["problem"])
    for line in script["nodes"][1:]:
        node = tree.add(tree.nodes[line["parent"]], f"step {line['id']}")
        node.terminal = line.get("terminal")
    infer_targets(tree)
    for line in script["nodes"][1:]:
        expected = line["quality_value"]
        assert tree.nodes[line["id"]].quality_value == (
            expected if expected is None else pytest.approx(expected)
        )


def test_edit_distance_counts_insertions_deletions_and_substitutions():
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == 3
    assert edit_distance("same", "same") == 0
