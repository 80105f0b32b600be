"""The public programs of ReST-MCTS* and rStar-Math, run on made-up problems, gave these trees (trees/*_published.json):
ours are the same, node for node.
"""

from typing import Any

import pytest

from ml.records import Problem
from ml.search.rest_mcts import infer_targets
from ml.search.tree import Tree
from tests.ml.search.scripted import by_path, grow, load

PUBLISHED = load("rest_mcts_published.json")
RSTAR = load("rstar_published.json")


@pytest.mark.parametrize("given", PUBLISHED["searches"])
def test_the_search_grows_the_tree_that_the_public_program_grew(given: dict[str, Any], monkeypatch):
    options = {"rollouts": given["rollouts"], "candidates": 3, "use_value_model": True}
    script = given | {"method": "rest-mcts", "options": options, "problem": PUBLISHED["problem"]}
    tree, _ = grow(script, monkeypatch)
    found = {
        path: [node["visits"], node["q_value"], node["quality_value"]] for path, node in by_path(tree).items()
    }
    assert found == {path: pytest.approx(expected) for path, expected in given["nodes"].items()}


@pytest.mark.parametrize("given", PUBLISHED["trees"])
def test_the_targets_are_those_that_the_public_program_infers(given: dict[str, Any]):
    tree = Tree(Problem("p", "A problem.", "1"))
    for parent in given["parents"]:
        tree.add(tree.nodes[parent], "a step")
    for index, end in given["ends"].items():
        tree.nodes[int(index)].terminal = end
    infer_targets(tree)
    found = [node.quality_value for node in tree.nodes[1:]]
    assert found == [value if value is None else pytest.approx(value) for value in given["values"]]


@pytest.mark.parametrize("given", RSTAR["searches"])
def test_rstar_with_the_code_s_variants_grows_the_tree_that_its_program_grew(
    given: dict[str, Any], monkeypatch
):
    options = {
        "rollouts": given["rollouts"],
        "candidates": 3,
        "unvisited": "zero",
        "grade_all_terminals": True,
        "finished_candidates": "first",
        "use_preference_model": given["model"],
    }
    script = given | {"method": "rstar", "options": options, "problem": RSTAR["problem"]}
    tree, _ = grow(script, monkeypatch)
    found = {path: [node["visits"], node["value_sum"]] for path, node in by_path(tree).items()}
    assert found == {path: pytest.approx(expected) for path, expected in given["nodes"].items()}
