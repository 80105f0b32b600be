"""Methods by name: what so many trajectories are to each, and which of its options a caller may set."""

from __future__ import annotations

import pytest

from ml.search.solving import METHODS


@pytest.mark.parametrize("name", ["self-consistency", "best-of-n", "weighted-vote"])
def test_trajectories_are_samples_of_what_chooses_among_them(name: str) -> None:
    assert METHODS[name].sized(12).n == 12


def test_trajectories_are_beams_parted_by_their_width() -> None:
    plain, diverse = (METHODS[name].sized(8, {"width": 2}) for name in ("beam", "dvts"))
    assert (plain.beams, plain.kept, plain.diverse) == (8, 4, False)
    assert (diverse.beams, diverse.kept, diverse.diverse) == (8, 4, True)


@pytest.mark.parametrize(("trajectories", "candidates"), [(1, 2), (4, 2), (8, 4), (27, 14)])
def test_trajectories_are_the_thoughts_of_a_depth_of_which_two_go_on(
    trajectories: int, candidates: int
) -> None:
    options = METHODS["tree-of-thought"].sized(trajectories)
    assert (options.candidates, options.kept) == (candidates, 2)


@pytest.mark.parametrize("name", ["mcts-star", "rstar"])
def test_a_tree_is_as_large_whatever_their_number(name: str) -> None:
    assert METHODS[name].sized(1) == METHODS[name].sized(64)
    assert METHODS[name].sized(1, {"rollouts": 5}).rollouts == 5


def test_an_option_that_a_method_does_not_take_or_nobody_set_stays_as_it_is() -> None:
    beam = METHODS["beam"].sized(8, {"temperature": None, "aggregation": "product", "rollouts": 3})
    assert (beam.temperature, beam.aggregation) == (0.8, "product")
    thought = METHODS["tree-of-thought"].sized(8, {"candidates": 9, "width": 5})
    assert (thought.candidates, thought.kept) == (4, 2)
