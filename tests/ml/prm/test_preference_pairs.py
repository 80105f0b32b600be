"""Which steps and solutions a preference model compares: rStar-Math's rules over a problem's rows."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from ml.prm.examples import ExampleSettings
from ml.prm.merged import MergedTree
from ml.prm.preferences import PairChoices, PairFinder, preference_examples
from ml.search.tree_rows import rows_from_trees
from ml.targets import LabelRule, label_rows
from tests.ml.prm.toys import sums, tokenizer
from tests.ml.search.scripted import load, tree_of

STEPS = tokenizer()
AUTOMATIC = LabelRule("automatic")


def solution(steps, correct, is_correct, visits=16, **values):
    """A row of the problem, with this many right rollouts of each step."""
    row = replace(
        sums(1)[0], id=" ".join(steps), steps=steps, options=[], final_answer="7", is_correct=is_correct,
        labels=[None] * len(steps), label_source=[None] * len(steps), first_mistake=None,
        automatic={"visits": [visits] * len(steps), "correct": correct},
    )  # fmt: skip
    return replace(row, **values)


def pairs_of(rows, rule=AUTOMATIC, **choices):
    """(better, worse, margin, weight) with each as its path's texts; siblings first, whole solutions last."""
    rows = label_rows(rows, rule)
    tree = MergedTree(rows, STEPS, rule)
    for row in rows:
        tree.take(row, Counter())

    def said(index):
        return "|".join(tree.nodes[node].text for node in tree.path(index))

    found = PairFinder(tree, PairChoices(**choices)).by_parent()
    return [(said(p.better), said(p.worse), 2 * p.margin, p.weight) for pairs in found for p in pairs]


def test_rollouts_that_a_second_method_confirmed_speak_behind_their_mistake_as_any():
    values = {"correct": [16, 0, 8], "visits": [16] * 3}
    automatic = {**values, "second": {"first_mistake": 1}}
    row = solution(["a", "a2", "a3"], [], False, automatic=automatic)
    for rule in (AUTOMATIC, LabelRule("mixed", mixture="consensus")):
        tree = MergedTree([row], STEPS, rule)
        tree.take(label_rows([row], rule)[0], Counter())
        assert tree.mean(3) == pytest.approx(0.5)


def ends(rows, **choices):
    """Which whole solutions are compared, by their first words."""
    alone = pairs_of(rows, final_pairs=False, **choices)
    return [(b[0], w[0]) for b, w, *_ in pairs_of(rows, **choices)[len(alone) :]]


def test_whole_solutions_are_chosen_by_their_mean_q_and_not_by_their_labels():
    # Right and wrong ones: the mean Q of each stands in its name's comment. All labels of right ones are 1.
    rows = [
        solution(["a", "a2"], [4, 8], True),  # 0.375
        solution(["b", "b2"], [8, 8], True),  # 0.5
        solution(["c", "c2"], [16, 16], True),  # 1.0
        # Mostly right labels before its mistake, and the lowest Q.
        solution(["x", "x2", "x3", "x4"], [2, 1, 2, 0], False),  # 0.08
        solution(["y", "y2"], [14, 0], False),  # 0.44
        solution(["z", "z2"], [0, 15], False),  # 0.47, of a step that the labels leave out
    ]
    assert sorted(ends(rows)) == [("b", "x"), ("b", "y"), ("c", "x"), ("c", "y")]


def test_a_solution_that_was_cut_off_is_no_wrong_end():
    right, wrong = solution(["r", "r2"], [16, 16], True), solution(["w", "w2"], [8, 0], False)
    assert ends([right, wrong]) == [("r", "w")]
    cut_off = replace(wrong, final_answer=None, automatic={"visits": [16, 16], "correct": [8, 8]})
    assert ends([right, cut_off]) == []
    # With a mistake it is wrong, wherever it would have ended.
    assert ends([right, replace(wrong, final_answer=None)]) == [("r", "w")]
    assert ends([right, replace(wrong, final_answer=None, steps=["w", "so it is \\boxed{8}"])]) == [
        ("r", "w")
    ]


def test_the_mean_counts_the_steps_behind_a_mistake():
    right = solution(["r", "r2", "r3"], [8, 8, 8], True)
    # Up to its mistake the wrong one has a mean of 0.5; in all, of 0.3.
    wrong = solution(["w", "w2", "w3", "w4", "w5"], [16, 8, 0, 0, 0], False)
    assert ends([right, wrong]) == [("r", "w")]
    # What a person found wrong is wrong, and what rollouts do behind it is luck: the mean is that of 1, 1 and 0.
    person = {"ratings": [1, 1, -1, None, None], "first_mistake": 2, "finish_reason": "found_error"}
    lucky = replace(wrong, human=person, automatic={"visits": [16] * 5, "correct": [16, 8, 0, 16, 16]})
    better = replace(right, automatic={"visits": [16] * 3, "correct": [12] * 3})
    (*_, last) = pairs_of([better, lucky], LabelRule("mixed"))
    assert last[2] == pytest.approx(2 * (0.75 - 2 / 3))


@pytest.mark.parametrize("name", ["pairs.json", "pairs_contradiction.json"])
@pytest.mark.parametrize("rules", ["default", "fill", "siblings"])
def test_rows_of_a_tree_give_the_pairs_worked_by_hand(name, rules, tmp_path):
    script = load(name)
    path = tmp_path / "trees.jsonl"
    tree = tree_of(script)
    tree.method = "rstar"
    path.write_text(json.dumps(tree.as_json()) + "\n")
    rows = list(rows_from_trees(path, AUTOMATIC, Counter()))
    expected = script["siblings"].get(rules, script["siblings"]["default"])
    expected = [
        [f"{prefix}|{b}".strip("|"), f"{prefix}|{w}".strip("|"), *rest] for prefix, b, w, *rest in expected
    ]
    if rules != "siblings":
        expected += script["trajectories"]
    wanted = [(b, w, pytest.approx(margin), 1 / (n * m)) for b, w, margin, n, m in expected]
    found = pairs_of(rows, fill_pairs=rules == "fill", final_pairs=rules != "siblings")
    assert sorted(found) == sorted(wanted, key=lambda pair: pair[:2])


def siblings(*shares, **choices):
    """Pairs among steps that nobody went on from, by their numbers."""
    options = [{"position": 0, "text": f"s{n}", "q_value": share} for n, share in enumerate(shares, start=1)]
    row = solution(["t"], [8], None, options=options)
    found = pairs_of([row], **choices)
    return [(b, w, weight) for b, w, _, weight in found if "t" not in (b, w)]


def test_rollouts_pair_the_two_best_with_the_two_worst():
    found = siblings(0.9, 0.7, 0.5, 0.2, 0.0)
    assert found == [("s1", "s5", 0.25), ("s1", "s4", 0.25), ("s2", "s5", 0.25), ("s2", "s4", 0.25)]
    assert siblings(1.0, 1.0) == []  # Nothing wrong below either.
    assert siblings(0.5, 0.5) == []  # A margin of nothing contradicts itself.


def test_a_side_with_one_member_meets_up_to_four_where_asked():
    only_one_right = (1.0, 0.0, 0.0, 0.0)
    row = solution(["t"], [0], None, options=[
        {"position": 0, "text": f"s{n}", "q_value": share} for n, share in enumerate(only_one_right, start=1)
    ])  # fmt: skip
    plain, filled = pairs_of([row]), pairs_of([row], fill_pairs=True)
    assert {b for b, *_ in filled} == {"s1"} and (len(plain), len(filled)) == (2, 4)
    assert {pair[3] for pair in filled} == {0.25}


def test_a_pair_weighs_by_the_pairs_that_are_left():
    # Both children have right and wrong ends below, but only one of the two orders has a margin.
    row = solution(["s"], [12], None, options=[{"position": 0, "text": "w", "q_value": 0.25}])
    assert pairs_of([row]) == [("s", "w", 1.0, 1.0)]


def test_a_better_step_whose_best_completion_is_worse_is_no_pair():
    rows = [
        solution(["A", "a", "end A"], [9, 4, 9], True),
        solution(["B", "b", "end B"], [8, 15, 15], False),
        solution(["B", "b", "end b"], [8, 15, 16], True),
    ]
    # A (9 of 16) stands above B (8), but its best completion's mean lies below that of B's worst.
    assert not [pair for pair in pairs_of(rows) if pair[:2] == ("A", "B")]
    rows[0] = solution(["A", "a", "end A"], [9, 15, 16], True)
    assert [pair for pair in pairs_of(rows) if pair[:2] == ("A", "B")]


def test_last_steps_after_one_prefix_are_compared_once():
    rows = [solution(["p", "right"], [8, 16], True), solution(["p", "wrong"], [8, 0], False)]
    assert [pair[:2] for pair in pairs_of(rows)] == [("p|right", "p|wrong")]
    assert [pair[:2] for pair in pairs_of(rows, final_pairs=False)] == [("p|right", "p|wrong")]
    # People's, too.
    people = [
        replace(row, automatic=None, human={"ratings": ratings, "finish_reason": "solution"})
        for row, ratings in zip(rows, ([1, 1], [1, -1]), strict=True)
    ]
    assert [pair[:2] for pair in pairs_of(people, LabelRule("human"))] == [("p|right", "p|wrong")]


def test_peoples_siblings_pair_right_with_wrong():
    def rated(*ratings):
        options = [
            {"position": 0, "text": f"s{n}", "rating": rating, "q_value": 1.0 - n / 4}
            for n, rating in enumerate(ratings, start=1)
        ]
        person = {"ratings": [1], "finish_reason": "solution"}
        return pairs_of([solution(["t"], [8], None, human=person, options=options)], LabelRule("human"))

    assert rated(-1, -1) == [("t", "s1", 2.0, 0.5), ("t", "s2", 2.0, 0.5)]
    assert rated(1, 1) == []


def test_close_pairs_are_dropped_and_counted():
    rows = [
        solution(["sure and long enough to differ", "so"], [16, 16], True),
        solution(["likely", "no"], [10, 0], False),
        solution(["likelx", "no"], [9, 0], False),
    ]
    assert ("likely", "likelx") in [pair[:2] for pair in pairs_of(rows, least_edit_distance=1)]
    far = pairs_of(rows, least_edit_distance=2)
    assert ("likely", "likelx") not in [pair[:2] for pair in far] and far
    # 16 of 16 against 10 of 16: 0.75 in Q from -1 to 1.
    first = ("sure and long enough to differ", "likely")
    assert first in [pair[:2] for pair in pairs_of(rows, least_margin=0.75)]
    assert first not in [pair[:2] for pair in pairs_of(rows, least_margin=0.76)]
    # Those that are left weigh what they weighed among all.
    weights = {pair[:2]: pair[3] for pair in pairs_of(rows)}
    assert all(weights[pair[:2]] == pair[3] for pair in pairs_of(rows, least_margin=0.76))
    counts: Counter[str] = Counter()
    choices = ExampleSettings("preference", 1, least_margin=0.76).pair_choices
    preference_examples(label_rows(rows, AUTOMATIC), STEPS, AUTOMATIC, choices, counts)
    assert counts["close_pairs"] == len(pairs_of(rows)) - counts["pairs"] > 0


def test_a_preference_models_first_value_orders_steps_and_is_no_end():
    # Both went right by every rollout; their Q differs by the prior alone, so neither has a wrong end below.
    searched = {"visits": [2], "correct": [2], "lowest_q": -1.0}
    rows = [
        solution([name], [2], True, automatic={**searched, "q_value": [q]})
        for name, q in (("a", 0.9), ("b", 0.3))
    ]
    assert pairs_of(rows) == []
    half = [replace(row, automatic={**row.automatic, "correct": [1]}, is_correct=None) for row in rows]
    assert pairs_of(half) == [("a", "b", pytest.approx(0.6), 1.0)]


def test_a_solution_that_was_kept_for_its_answer_alone_is_compared_with_none():
    labelled = solution(["We add.", "So 5."], [16, 0], False)
    bare = solution(["We add.", "So 7."], [0, 0], True, automatic=None)
    (rows, counts) = label_rows([labelled], AUTOMATIC), Counter()
    assert preference_examples([*rows, bare], STEPS, AUTOMATIC, PairChoices(), counts) == []
    assert counts["rows_without_target"] == 1
