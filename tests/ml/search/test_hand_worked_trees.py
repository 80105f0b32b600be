"""Trees worked by hand (tests/ml/search/trees), reproduced node for node."""

import pytest

from ml.search.pairs import PairRules, preference_pairs
from ml.search.rest_mcts import infer_targets, reasoning_distances
from tests.ml.search.scripted import by_path, grow, judge, load, tree_of

GROWN = [
    "rstar.json",
    "rstar_preference_model.json",
    "rstar_code_variants.json",
    "rest_mcts.json",
    "rest_mcts_rollouts.json",
    "omegaprm.json",
    "math_shepherd.json",
]
GIVEN = [
    "math_shepherd_given.json",
    "omegaprm_given.json",
    "omegaprm_adaptive_given.json",
    "rstar_given.json",
    "rest_mcts_given.json",
]


def close(expected):
    return pytest.approx(expected) if isinstance(expected, float) else expected


@pytest.mark.parametrize("name", GROWN)
def test_a_hand_worked_tree_is_reproduced_node_for_node(name, monkeypatch):
    script = load(name)
    tree, _ = grow(script, monkeypatch)
    nodes = by_path(tree)
    assert sorted(nodes) == sorted(script["nodes"])
    for path, expected in script["nodes"].items():
        for key, value in expected.items():
            assert nodes[path][key] == close(value), (path, key)


@pytest.mark.parametrize("name", GIVEN)
def test_the_estimates_of_a_given_solution_are_those_worked_by_hand(name, monkeypatch):
    script = load(name)
    found, policy = judge(script, monkeypatch)
    assert found.first_mistake == script["first_mistake"]
    for position, (step, expected) in enumerate(zip(found.steps, script["steps"], strict=True)):
        for key, value in expected.items():
            assert getattr(step, key) == close(value), (position, key)
    assert policy.asked == script.get("asked_in_order", policy.asked)


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


@pytest.mark.parametrize("name", ["pairs.json", "pairs_contradiction.json"])
@pytest.mark.parametrize("rules", ["default", "fill", "vis_count", "siblings"])
def test_pairs_of_a_tree_with_every_case_are_those_worked_by_hand(name, rules):
    script = load(name)
    chosen = {
        "default": PairRules(),
        "fill": PairRules(fill=True),
        "vis_count": PairRules(descend="vis_count"),
        "siblings": PairRules(final="siblings"),
    }[rules]
    expected = script["siblings"].get(rules, script["siblings"]["default"])
    if rules != "siblings":
        expected = expected + [["", *line] for line in script["trajectories"]]
    found = [
        ["|".join(p.prefix), "|".join(p.chosen), "|".join(p.rejected), p.margin, p.positives, p.negatives]
        for p in preference_pairs(tree_of(script), chosen)
    ]
    assert found == [[close(value) for value in line] for line in expected]


@pytest.mark.parametrize("name", ["rest_mcts_targets.json", "rest_mcts_deep_targets.json"])
def test_targets_are_inferred_from_the_pruned_tree_as_worked_by_hand(name):
    script = load(name)
    tree = tree_of(script)
    distance, wrong = reasoning_distances(tree)
    infer_targets(tree)
    for line in script["nodes"]:
        assert distance.get(line["id"]) == line["m"], line
        assert (line["id"] in wrong) == bool(line["r"]), line
        assert tree.nodes[line["id"]].quality_value == close(line["v"]), line
