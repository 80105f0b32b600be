"""A tree that takes in others: what they share stands once, by what the model reads of it."""

from __future__ import annotations

from ml.prm.growing_tree import GrowingTree
from ml.prm.packing import TokenTree, chain
from ml.prm.score import Unscored, shared_trees
from ml.prm.tokenization import StepTokenizer, pocket_layout, pocket_tokenizer


def test_a_tree_that_is_taken_in_learns_where_its_nodes_went():
    growing = GrowingTree([9])
    assert growing.add(chain([[9], [1], [2, 3]])) == [0, 1, 2]
    assert growing.add(TokenTree([[9], [4], [1], [2, 3], [5]], [-1, 0, 0, 2, 2])) == [0, 3, 1, 2, 4]
    tree = growing.tree()
    assert list(map(list, tree.tokens)) == [[9], [1], [2, 3], [4], [5]]
    assert tree.parents == [-1, 0, 1, 0, 1]
    assert growing.size == growing.tree().size == 6


def test_there_is_room_for_what_stands_already_and_for_nothing_beyond_the_limit():
    growing = GrowingTree([9])
    growing.add(chain([[9], [1], [2, 3]]))
    assert growing.has_room_for(chain([[9], [1], [2, 3]]), 1)
    more = chain([[9], [1], [6], [7]])
    assert growing.has_room_for(more, 6) and not growing.has_room_for(more, 5)


def test_texts_that_are_the_same_tokens_are_one_step_to_a_scorer():
    # The pocket family's tokenizer knows no word but its own: the two read alike, and are scored alike.
    steps = StepTokenizer(pocket_tokenizer(), pocket_layout(64))
    said = ["1 + 1 = \u2603", "1 + 1 = \u2604"]
    assert steps.step(said[0]) == steps.step(said[1])
    (tree,), places = shared_trees([Unscored(text, "Add 1 1", [text]) for text in said], steps)
    assert places == [(0, [1]), (0, [1])] and len(tree.tokens) == 2
