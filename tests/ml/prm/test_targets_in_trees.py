"""Rows to examples: what is read, with which target, and what is refused or counted."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from dataclasses import replace

import pytest

from ml.errors import MisstepError
from ml.prm.example import token_by_token
from ml.prm.examples import ExampleSettings, examples_from
from ml.targets import LabelRule, label_rows
from tests.ml.prm.toys import examples_of, sums, tokenizer

STEPS = tokenizer()


def classify(row, rule=None, **settings):
    chosen = ExampleSettings(**settings)
    return examples_from([row], STEPS, rule or LabelRule("human"), chosen, Counter())


def test_a_classifiers_tree_is_the_trajectory_with_its_options_as_leaves():
    row = sums(2)[1]
    row = replace(row, labels=[1.0, 0.0, None], first_mistake=1)
    (example,) = classify(row)
    assert example.tree.parents == [-1, 0, 1, 0, 0]  # The step behind the first mistake is not packed at all.
    assert example.reads == [1, 2, 3, 4]
    assert example.targets == [[0, 1], [1, 0], [1, 0], [0, 1]]
    assert example.weights == [1.0] * 4
    assert all(node[-1] == STEPS.separator[-1] for node in example.tree.tokens[1:])


def test_paths_weigh_by_how_many_go_through_when_asked():
    row = sums(1)[0]
    (example,) = classify(row, weighting="path")
    # Both options part before step 0, so only the trajectory's own path goes through its steps.
    assert example.weights == [1.0] * 5
    later = replace(row, options=[{**option, "position": 2} for option in row.options])
    (example,) = classify(later, weighting="path")
    assert example.weights == [3.0, 3.0, 1.0, 1.0, 1.0]


def test_options_behind_the_first_mistake_are_left_out():
    row = replace(sums(1)[0], labels=[0.0, None, None], first_mistake=0)
    moved = [{**option, "position": 1} for option in row.options]
    (example,) = classify(replace(row, options=moved))
    assert example.reads == [1]


def alternatives_at(*positions):
    """A right and a wrong one at each of the positions."""
    return [
        {"position": place, "text": f"{rating} at {place}", "rating": rating, "q_value": (rating + 1) / 2}
        for place in positions
        for rating in (1, -1)
    ]


def positions_taught(row, rule):
    """Where the row's alternatives hang, for a classifier and for preferences."""
    texts = {tuple(STEPS.step(one["text"])): one["position"] for one in row.options}
    found = []
    for objective, outputs in (("classifier", 2), ("preference", 1)):
        examples = classify(row, rule, objective=objective, outputs=outputs)
        nodes = [tuple(node) for example in examples for node in example.tree.tokens]
        found.append({texts[node] for node in nodes if node in texts})
    return found


SEARCHED = {"visits": [4] * 4, "correct": [4, 4, 4, 0]}
PERSON = {"ratings": [1, -1, None, None], "first_mistake": 1, "finish_reason": "found_error", "annotators": 1}


def four_steps(**values):
    steps = [f"step {k}" for k in range(4)]
    blank = {"steps": steps, "labels": [None] * 4, "label_source": [None] * 4, "first_mistake": None}
    return replace(sums(1)[0], **blank | {"options": alternatives_at(1, 2, 3)} | values)


def test_a_row_that_the_rule_dropped_teaches_no_alternatives():
    rule = LabelRule("mixed", mixture="consensus")
    (row,) = label_rows([four_steps(human=PERSON, automatic=SEARCHED)], rule)
    assert row.labels == [None] * 4
    assert positions_taught(row, rule) == [set(), set()]


def test_alternatives_behind_a_mistake_that_a_person_named_teach_nothing():
    rule = LabelRule("mixed", mixture="agreement_weighted", automatic_weight=3.0)
    (row,) = label_rows([four_steps(human=PERSON, automatic=SEARCHED)], rule)
    assert row.first_mistake == 3
    assert positions_taught(row, rule) == [{1}, {1}]
    (row,) = label_rows([four_steps(human=PERSON, automatic=SEARCHED)], LabelRule("automatic"))
    assert positions_taught(row, LabelRule("automatic")) == [set(), {1, 2, 3}]


def test_alternatives_behind_the_first_wrong_label_teach_nothing():
    row = four_steps(labels=[1.0, 0.0, 1.0, 1.0], label_source=["human"] * 4)
    assert positions_taught(row, LabelRule("human")) == [{1}, {1}]


@pytest.mark.parametrize("target", ["soft", "quality_value"])
def test_a_low_estimate_of_a_right_step_hides_no_alternatives(target):
    rule = LabelRule("automatic", target=target)
    searched = {"visits": [4] * 4, "correct": [1, 1, 4, 4], "quality_value": [0.25, 0.5, 0.75, 1.0]}
    (row,) = label_rows([four_steps(automatic=searched)], rule)
    assert positions_taught(row, rule)[1] == {1, 2, 3}


def test_the_answer_of_a_bad_problem_teaches_nothing_where_people_are_asked():
    row = four_steps(human={"finish_reason": "bad_problem"}, is_correct=False)
    assert classify(row, LabelRule("mixed"), objective="outcome") == []
    assert classify(row, LabelRule("mixed"), outcomes=True) == []
    assert len(classify(row, LabelRule("automatic"), objective="outcome")) == 1


def test_neutral_can_be_its_own_class():
    row = replace(sums(1)[0], human={"ratings": [1, 0, 1]}, options=[])
    (example,) = classify(row, outputs=3)
    assert example.targets == [[0, 1, 0], [0, 0, 1], [0, 1, 0]]


def test_soft_labels_reach_the_example_as_floats():
    row = replace(sums(1)[0], labels=[0.875, 0.25, None], options=[])
    (example,) = classify(row)
    assert example.targets == [[0.125, 0.875], [0.75, 0.25]]


def test_values_of_a_right_solution_climb_to_one():
    (example,) = examples_of("value", sums(1), STEPS)
    assert [t[0] for t in example.targets] == pytest.approx([1 / 3, 2 / 3, 1.0])
    own = {"quality_value": [0.1, 0.2, 0.3]}
    searched = replace(sums(1)[0], automatic=own, label_source=["automatic"] * 3)
    (example,) = examples_of("value", [searched], STEPS)
    assert [t[0] for t in example.targets] == [0.1, 0.2, 0.3]


@pytest.mark.parametrize(
    ("correct", "after_mistake", "values"),
    [
        # Some rollout from each step is right, so that each is: k / K.
        ([3, 2, 8], "none", [1 / 3, 2 / 3, 1.0]),
        # Step 1 is wrong at the distance of step 0, which is 2: v = 1/3, w = -(2/3)/3.
        ([3, 0, 0], "none", [1 / 3, 1 / 9]),
        # And once more: w = -(8/9)/3.
        ([3, 0, 0], "keep", [1 / 3, 1 / 9, 0.0]),
        # Behind the mistake a step is right again where some rollout is: w = (8/9)/1.
        ([3, 0, 1], "keep", [1 / 3, 1 / 9, 1.0]),
    ],
)
def test_values_of_shares_take_a_step_for_wrong_where_no_rollout_is_right(correct, after_mistake, values):
    rule = LabelRule("automatic", target="soft", after_mistake=after_mistake)
    searched = replace(sums(1)[0], automatic={"visits": [8] * 3, "correct": correct}, options=[])
    (row,) = label_rows([searched], rule)
    (example,) = classify(row, rule, objective="value", outputs=1)
    assert [target[0] for target in example.targets] == pytest.approx(values)


def test_an_outcome_is_read_at_the_last_token_or_at_each_steps_or_at_every_one():
    (last,) = examples_of("outcome", sums(1), STEPS)
    assert last.reads == [3] and last.targets == [[0.0, 1.0]]
    (every,) = examples_of("outcome", sums(1), STEPS, outcome_tokens="all")
    assert every == replace(last, reads_tokens=True)
    spelled = token_by_token(every)
    tokens = [token for node in last.tree.tokens[1:] for token in node]
    assert [list(node) for node in spelled.tree.tokens[1:]] == [[token] for token in tokens]
    assert spelled.tree.parents == list(range(-1, len(tokens)))
    assert spelled.reads == list(range(1, len(tokens) + 1)) and len(tokens) == every.readings
    assert spelled.targets == [[0.0, 1.0]] * len(tokens)
    assert spelled.weights == [1 / len(tokens)] * len(tokens)
    (steps,) = examples_of("outcome", sums(1), STEPS, outcome_tokens="steps")
    assert steps.tree == last.tree and steps.reads == [1, 2, 3] and not steps.reads_paths
    assert steps.targets == [[0.0, 1.0]] * 3 and steps.weights == [pytest.approx(1 / 3)] * 3
    (whole,) = examples_of("outcome", sums(1), STEPS, outcome_tokens="product")
    assert whole.tree == last.tree and whole.reads_paths and not last.reads_paths
    assert whole.reads == [3] and whole.targets == [[0.0, 1.0]]
    (beginnings,) = examples_of("outcome", sums(1), STEPS, outcome_tokens="products")
    assert beginnings == replace(steps, reads_paths=True)


def bytes_held(outcome_tokens: str) -> int:
    """What the examples of some long solutions take, beside their texts' tokens, which all of them share."""
    [row] = sums(1)
    steps = [" ".join(row.steps * 2)] * 3
    rows = [replace(row, id=str(k), steps=steps) for k in range(50)]
    examples_of("outcome", rows, STEPS)
    tracemalloc.start()
    try:
        kept = examples_of("outcome", rows, STEPS, outcome_tokens=outcome_tokens)
        assert len(kept) == 50
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_outcomes_that_are_read_at_every_token_take_no_more_memory_than_those_read_at_the_last():
    assert bytes_held("all") < 1.5 * bytes_held("last")


def test_a_solution_without_labels_teaches_by_its_answer_where_asked():
    labelled, silent, unknown = sums(3)
    rows = [
        labelled,
        replace(silent, labels=[None] * 3, options=[], is_correct=False),
        replace(unknown, labels=[None] * 3, options=[], is_correct=None),
    ]
    assert len(examples_of("classifier", rows, STEPS)) == 1
    counts = Counter()
    settings = ExampleSettings("classifier", outcomes=True)
    steps, whole = examples_from(rows, tokenizer(), LabelRule("human"), settings, counts)
    assert len(steps.reads) > 1 and not steps.reads_paths
    assert whole.reads_paths and whole.reads == [3] and whole.targets == [[1.0, 0.0]]
    assert counts["solutions_read_by_outcome"] == 1 and counts["rows_without_target"] == 1


def test_a_right_solution_with_worse_steps_than_a_wrong_one_is_no_pair():
    def solution(name, labels, is_correct):
        steps = [f"{name} {k}" for k in range(len(labels))]
        sources = ["automatic"] * len(labels)
        return replace(
            sums(1)[0], id=name, steps=steps, labels=labels, label_source=sources, is_correct=is_correct,
            automatic=None, options=[], first_mistake=None, final_answer="7",
        )  # fmt: skip

    def final(*rows):
        found = examples_of("preference", list(rows), STEPS, final_pairs=True)
        alone = examples_of("preference", list(rows), STEPS, final_pairs=False)
        return [pair[2] for e in found for pair in e.pairs][sum(len(e.pairs) for e in alone) :]

    doubtful, convincing = solution("a", [0.5, 0.5], True), solution("b", [0.9, 0.9], False)
    assert final(doubtful, convincing) == []
    assert final(doubtful, convincing, solution("c", [0.5, 0.1], False)) == [1.0]
    # The same words, graded differently: nothing is better than itself.
    assert final(solution("a", [0.9, 0.9], True), solution("a", [0.1, 0.1], False)) == []


def test_preferences_share_the_prefix_and_end_with_whole_solutions():
    right = sums(1)[0]
    wrong = replace(
        right, id="other", steps=[right.steps[0], "9 + 9 = 1"], labels=[1.0, 0.0], first_mistake=1,
        label_source=["human"] * 2, is_correct=False, options=[],
    )  # fmt: skip
    (example,) = examples_of("preference", [replace(right, options=[]), wrong], STEPS, final_pairs=True)
    # Siblings after step 0 (right second step over the wrong one), and whole right over whole wrong.
    assert example.parents == 2 and len(example.pairs) == 2
    nodes = [(example.reads[a], example.reads[b]) for a, b, _ in example.pairs]
    parents = example.tree.parents
    assert parents[nodes[0][0]] == parents[nodes[0][1]] == 1
    assert example.tree.tokens[nodes[0][1]] == STEPS.step("9 + 9 = 1")
    assert example.tree.tokens[nodes[1][0]] == STEPS.step(right.steps[2])


def test_preferences_without_alternatives_compare_solutions_alone():
    right = sums(1)[0]
    wrong = replace(right, id="other", steps=[right.steps[0], "9 + 9 = 1"], labels=[1.0, 0.0], first_mistake=1,
        label_source=["human"] * 2, is_correct=False)  # fmt: skip
    (all_pairs,) = examples_of("preference", [right, wrong], STEPS)
    (example,) = examples_of("preference", [right, wrong], STEPS, alternatives=False)
    assert (len(all_pairs.pairs), len(example.pairs)) == (4, 2)
    alternatives = [STEPS.step(option["text"]) for option in right.options]
    assert not [node for node in example.tree.tokens if node in alternatives]


def test_truncation_is_counted_and_a_step_beyond_the_context_is_refused():
    row = replace(sums(1)[0], options=[])
    whole = [len(STEPS.problem(row.problem)), *(len(STEPS.step(step)) for step in row.steps)]
    short = tokenizer(maximum_length=sum(whole[:3]))
    counts: Counter[str] = Counter()
    (example,) = examples_from([row], short, LabelRule("human"), ExampleSettings(), counts)
    assert len(example.reads) == 2 and counts["truncated_steps"] == 1 and counts["truncated_solutions"] == 1
    tiny = tokenizer(maximum_length=whole[0] + 2)
    with pytest.raises(MisstepError, match=f"record {row.id}: step 0 and the problem have"):
        examples_from([row], tiny, LabelRule("human"), ExampleSettings(), Counter())


@pytest.mark.parametrize("objective", ["classifier", "preference"])
def test_an_alternative_beyond_the_context_is_counted_and_left_out(objective):
    row = sums(1)[0]
    long = {**row.options[0], "text": "7 + 7 = " * 40}
    whole = sum(map(len, STEPS.solution(row.id, row.problem, row.steps)[0]))
    counts: Counter[str] = Counter()
    outputs = 2 if objective == "classifier" else 1
    (example,) = examples_from(
        [replace(row, options=[*row.options, long])],
        tokenizer(maximum_length=whole),
        LabelRule("human"),
        ExampleSettings(objective, outputs),
        counts,
    )
    assert counts["truncated_alternatives"] == 1
    assert example.tree == examples_of(objective, [row], STEPS)[0].tree


def test_a_solution_that_spells_a_special_token_does_not_get_it():
    pad = STEPS.tokenizer.pad_token_id
    assert pad not in STEPS.step("the end <pad> or not")
