"""Fusion against its own formula and against known truth."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ml.errors import MisstepError
from ml.snapshot import SnapshotRow
from ml.targets import Fusion, LabelRule, Witnessed, fuse, label_rows
from ml.targets.snapshot_rows import witnessed


def test_fusion_hears_a_search_only_where_it_probed():
    row = SnapshotRow(
        "a", "p", "1 + 1 =", ["s"] * 4, "train", [None] * 4, [None] * 4,
        automatic={"visits": [0, 2, 16, 0], "correct": [0, 2, 0, 0], "hard": [1, 1, 0, 0]},
    )  # fmt: skip
    assert witnessed(row, LabelRule("mixed", mixture="fusion")).shares == [None, 1.0, 0.0, None]


def four_steps(name, human, automatic=None):
    return SnapshotRow(
        name, "p", "1 + 1 =", ["s"] * 4, "train", [None] * 4, [None] * 4, human=human, automatic=automatic
    )


def test_fusion_labels_nothing_without_a_verdict_or_a_share():
    searched = {"visits": [4] * 4, "correct": [4, 4, 0, 0]}
    gave_up = {"ratings": [None] * 4, "finish_reason": "give_up", "posterior": [0.9, 0.8, 0.7, 0.6]}
    rows = [
        four_steps("a", {"first_mistake": 2, "finish_reason": "found_error"}, searched),
        four_steps("b", gave_up),
        four_steps("c", {**gave_up, "ratings": [1, None, None, None]}),
        four_steps("d", None, {"visits": [0] * 4, "correct": [0] * 4, "hard": [1, 0, 0, 0]}),
        four_steps("e", {"finish_reason": "bad_problem"}, searched),
        four_steps("f", gave_up, searched),
    ]
    found = {row.id: row for row in label_rows(rows, LabelRule("mixed", mixture="fusion"))}
    assert found["a"].label_source[0] == found["f"].label_source[0] == "fused"
    assert [found[name].labels for name in "bde"] == [[None] * 4] * 3
    assert found["c"].labels == [1.0, None, None, None] and found["c"].label_source[0] == "human"


def test_fusion_learns_nothing_from_a_bad_problem():
    items = [four_steps(str(k), {"first_mistake": k % 4, "finish_reason": "found_error"}) for k in range(12)]
    rule = LabelRule("mixed", mixture="fusion")
    bad = four_steps("bad", {"finish_reason": "bad_problem"}, {"visits": [4] * 4, "correct": [4] * 4})
    assert label_rows([bad, *items], rule)[1:] == label_rows(items, rule)


def simulated(count: int, seed: int) -> tuple[list[Witnessed], list[int | None]]:
    """Solutions whose truth is known, seen by a careful and a careless annotator and by a search."""
    generator = random.Random(seed)
    abilities = {"careful": (0.05, 0.05, 0.95), "careless": (0.4, 0.3, 0.6), "search": (0.1, 0.15, 0.85)}
    items, truths = [], []
    for _ in range(count):
        steps = generator.randint(3, 8)
        truth = generator.randrange(steps) if generator.random() < 0.6 else None
        verdicts = {}
        for name, (false_alarm, miss, exact) in abilities.items():
            if truth is None:
                verdicts[name] = generator.randrange(steps) if generator.random() < false_alarm else None
            elif generator.random() < miss:
                verdicts[name] = None
            elif generator.random() < exact:
                verdicts[name] = truth
            else:
                verdicts[name] = generator.choice([k for k in range(steps) if k != truth])
        items.append(Witnessed(steps, verdicts))
        truths.append(truth)
    return items, truths


def likeliest(fusion: Fusion) -> list[int | None]:
    """The place of each solution's first mistake that fusion holds for the likeliest, None for no mistake."""
    best = [(int(np.argmax(places)), len(places) - 1) for places in fusion.places]
    return [None if place == count else place for place, count in best]


def right(verdicts: Sequence[int | None], truths: Sequence[int | None]) -> float:
    """The share of verdicts that name the true place."""
    return float(np.mean([said == truth for said, truth in zip(verdicts, truths, strict=True)]))


def test_fusion_recovers_the_error_rates_and_beats_every_witness():
    items, truths = simulated(1500, seed=1)
    fusion = fuse(items)
    assert fusion.rates.witnesses["careful"].false_alarm == pytest.approx(0.05, abs=0.04)
    assert fusion.rates.witnesses["careless"].exact == pytest.approx(0.6, abs=0.06)
    assert fusion.rates.witnesses["search"].miss == pytest.approx(0.15, abs=0.05)
    singles = {
        name: right([item.verdicts[name] for item in items], truths) for name in fusion.rates.witnesses
    }
    assert right(likeliest(fusion), truths) > max(singles.values())


def test_fusion_posteriors_are_calibrated_on_gold():
    items, truths = simulated(2000, seed=2)
    fusion = fuse(items)
    said, happened = [], []
    for index, truth in enumerate(truths):
        for k, chance in enumerate(fusion.correct_through(index)):
            said.append(chance)
            happened.append(truth is None or k < truth)
    bins = np.digitize(said, np.linspace(0, 1, 11)[1:-1])
    error = sum(
        abs(np.mean(np.array(said)[bins == b]) - np.mean(np.array(happened)[bins == b])) * np.mean(bins == b)
        for b in set(bins)
    )
    assert error < 0.03


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_log_likelihood_never_falls(seed):
    # It climbs with the priors counted in, which weigh nothing beside so many solutions: rates that were counted wrong
    # by a twentieth would cost some hundredths.
    trace = fuse(simulated(600, seed)[0]).log_likelihood
    assert len(trace) > 10
    assert all(later > earlier for earlier, later in pairwise(trace))


def test_a_gold_item_keeps_its_truth_and_a_wrong_answer_means_a_mistake():
    items, _ = simulated(200, seed=4)
    gold = Witnessed(3, {"careless": None}, truth=2, has_truth=True)
    wrong = Witnessed(3, {"careless": None}, answer_correct=False)
    fusion = fuse([*items, gold, wrong])
    assert fusion.places[-2].tolist() == [0.0, 0.0, 1.0, 0.0]
    assert fusion.places[-1][-1] < 0.05


def test_fusion_labels_a_snapshots_rows():
    items, _ = simulated(100, seed=5)
    rows = [
        SnapshotRow(
            id=str(k), problem_id=str(k), problem=str(k), steps=["x"] * item.step_count, split="train",
            labels=[None] * item.step_count, label_source=[None] * item.step_count,
            human={"ratings": None, "witnesses": {n: v for n, v in item.verdicts.items() if n != "search"}},
        )
        for k, item in enumerate(items)
    ]  # fmt: skip
    labelled = label_rows(rows, LabelRule("mixed", mixture="fusion"))
    assert all(row.label_source[0] == "fused" for row in labelled)
    assert labelled == label_rows(rows, LabelRule("mixed", mixture="fusion"))
    assert labelled[0] != replace(labelled[0], labels=rows[0].labels)


def test_of_two_equal_witnesses_who_disagree_neither_is_believed():
    places = fuse([Witnessed(10, {"a": 0, "b": 4})]).places[0]
    assert places[0] == pytest.approx(places[4], rel=0.4)
    assert places[0] > 0.35


def test_what_is_left_behind_a_sure_mistake_is_no_rounding_error():
    item = Witnessed(6, {name: 1 for name in "abcdefgh"}, answer_correct=False)
    fusion = fuse([item] * 200)
    chances = fusion.correct_through(0)
    expected = [float(fusion.places[0][step + 1 :].sum()) for step in range(6)]
    assert chances == pytest.approx(expected, rel=1e-9, abs=0)
    assert 0 < chances[-1] < chances[2] < 1e-15


def test_a_first_mistake_beyond_the_last_step_is_refused():
    with pytest.raises(MisstepError, match="a first mistake at step 3 of a solution of 3 steps"):
        fuse([Witnessed(3, {"a": 3})])
    with pytest.raises(MisstepError, match="a first mistake at step -1"):
        fuse([Witnessed(3, {}, truth=-1, has_truth=True)])


def test_a_solution_without_steps_is_refused_by_its_id():
    with pytest.raises(MisstepError, match="a solution of 0 steps"):
        Witnessed(0, {})
    empty = SnapshotRow("s7", "p", "1 + 1 =", [], "train", [], [], human={"first_mistake": None})
    with pytest.raises(MisstepError, match="record s7: no steps, expected at least one"):
        label_rows([empty], LabelRule("mixed", mixture="fusion"))


def test_where_most_solutions_fail_at_their_end_a_careless_annotator_does_not_outvote_a_good_search():
    generator = random.Random(11)
    items, truths, people, searched = [], [], [], []
    for _ in range(1200):
        steps = 6
        wrong = generator.random() < 0.6
        truth = (steps - 1 if generator.random() < 0.8 else generator.randrange(steps)) if wrong else None
        others = [place for place in (None, *range(steps)) if place != truth]
        said = generator.choice(others) if generator.random() < 1 / 3 else truth
        # Behind the last step no rollout runs; behind the others they come right, or not, nine times in ten.
        stand = [truth is None or k < truth for k in range(steps - 1)]
        shares = [float(stands == (generator.random() < 0.9)) for stands in stand]
        items.append(Witnessed(steps, {"person": said}, answer_correct=not wrong, shares=[*shares, None]))
        truths.append(truth)
        people.append(said)
        first = next((k for k, share in enumerate(shares) if share == 0.0), steps - 1)
        searched.append(first if wrong else None)
    fusion = fuse(items)
    assert right(likeliest(fusion), truths) > max(right(people, truths), right(searched, truths)) + 0.05
    assert fusion.rates.places[2] == pytest.approx(0.83, abs=0.04)
    assert fusion.rates.witnesses["person"].exact == pytest.approx(1 - 1 / 3 * 5 / 6 / (1 - 1 / 18), abs=0.04)


def test_fusion_is_as_good_as_each_source_when_a_third_of_the_people_err():
    generator = random.Random(7)
    items, truths, people, searched = [], [], [], []
    for _ in range(400):
        steps = generator.randint(3, 8)
        truth = generator.randrange(steps) if generator.random() < 0.6 else None
        others = [place for place in (None, *range(steps)) if place != truth]
        said = generator.choice(others) if generator.random() < 1 / 3 else truth
        # Eight rollouts behind each step: a right prefix leads to the answer half of the time, a wrong one rarely.
        wrong = [truth is not None and k >= truth for k in range(steps)]
        shares = [sum(generator.random() < (0.04 if w else 0.45) for _ in range(8)) / 8 for w in wrong]
        items.append(Witnessed(steps, {"person": said}, shares=shares))
        truths.append(truth)
        people.append(said)
        searched.append(next((k for k, share in enumerate(shares) if share == 0.0), None))
    fusion = fuse(items)
    assert right(likeliest(fusion), truths) > max(right(people, truths), right(searched, truths)) + 0.05


def test_a_weak_search_that_calls_right_steps_mistaken_does_not_overrule_people():
    generator = random.Random(4)
    rows, truths, people = [], [], []
    for index in range(1500):
        steps = generator.randint(4, 8)
        truth = generator.randrange(steps - 1) if generator.random() < 0.4 else None
        others = [place for place in (None, *range(steps)) if place != truth]
        said = generator.choice(others) if generator.random() < 1 / 3 else truth
        rows.append(
            SnapshotRow(
                id=str(index), problem_id=str(index), problem=str(index), steps=["x"] * steps, split="train",
                labels=[None] * steps, label_source=[None] * steps, final_answer="1", is_correct=truth is None,
                human={"ratings": None, "witnesses": {"person": said}},
                automatic=searched_by_halves(steps, truth, generator),
            )
        )  # fmt: skip
        truths.append(truth)
        people.append(said)
    fused = [row.first_mistake for row in label_rows(rows, LabelRule("mixed", mixture="fusion"))]
    assert right(fused, truths) > right(people, truths) + 0.17


def searched_by_halves(steps: int, truth: int | None, generator: random.Random) -> dict[str, list[int]]:
    """A binary search with two rollouts a probe, which come right once in five from right steps. A finished solution's
    last step has its own answer twice, and a right answer proves all steps.
    """
    visits, correct = [0] * (steps - 1) + [2], [0] * (steps - 1) + [2 * (truth is None)]
    low, high = 0, 0 if truth is None else steps - 1
    while low < high:
        middle = (low + high) // 2
        assert truth is not None
        chance = 0.2 if middle < truth else 0.01
        visits[middle], correct[middle] = 2, sum(generator.random() < chance for _ in range(2))
        low, high = (middle + 1, high) if correct[middle] == 2 else (low, middle)
    return {
        "visits": visits,
        "correct": correct,
        "hard": [int(k < low or truth is None) for k in range(steps)],
    }
