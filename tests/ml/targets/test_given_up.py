"""What people rated before they gave up: labels of those steps, and no verdict on the solution."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from ml.formats import read
from ml.snapshot import SnapshotRow
from ml.targets import LabelRule, decide_labels, has_verdict, label_rows
from ml.targets.consensus import Look, evidence_of, verdict_or_ratings
from ml.targets.file_rows import rows_from
from ml.targets.snapshot_rows import witnessed
from tests.data import real_data

GIVEN_UP = {"ratings": [1, 0, None], "first_mistake": None, "finish_reason": "give_up", "annotators": 1}
HUMAN = LabelRule("human")
SEARCH = {"visits": [4, 4, 4], "correct": [4, 4, 4]}


def row(human, automatic=None, **fields):
    return SnapshotRow(
        "a",
        "p",
        "1 + 1 =",
        ["s"] * 3,
        "train",
        [None] * 3,
        [None] * 3,
        human=human,
        automatic=automatic,
        **fields,
    )


def frozen(path, format, rule=HUMAN):
    dropped: Counter[str] = Counter()
    return list(rows_from(str(path), read(path, format), {}, rule, dropped)), dropped


def test_the_rated_steps_have_labels_and_the_others_have_none():
    (found,) = label_rows([row(GIVEN_UP)], LabelRule("human"))
    assert found.labels == [1.0, 1.0, None] and found.first_mistake is None and not has_verdict(found)


def test_rating_every_step_before_giving_up_is_no_verdict_either():
    every_step = {**GIVEN_UP, "ratings": [1, 1, 1]}
    (found,) = label_rows([row(every_step)], LabelRule("human"))
    assert found.labels == [1.0] * 3 and not has_verdict(found)
    assert witnessed(row(every_step), LabelRule("mixed", mixture="fusion")).verdicts == {}
    assert has_verdict(label_rows([row({**every_step, "finish_reason": "solution"})], LabelRule("human"))[0])


@pytest.mark.parametrize(
    ("names", "witness"), [(["ann"], "person ann"), (["bo", "ann"], "people ann, bo"), (None, "people")]
)
def test_who_rated_a_step_as_the_mistake_before_giving_up_testifies_by_name(names, witness):
    found_first = {**GIVEN_UP, "ratings": [1, -1, None], "first_mistake": 1}
    if names:
        found_first["given_up_by"] = names
    assert witnessed(row(found_first), LabelRule("mixed", mixture="fusion")).verdicts == {witness: 1}


def test_nobody_agrees_with_somebody_who_gave_up():
    rule = LabelRule("mixed", mixture="consensus")
    assert decide_labels(GIVEN_UP, SEARCH, rule).labels == [None] * 3
    found_first = {**GIVEN_UP, "ratings": [1, -1, None], "first_mistake": 1}
    wrong = {"visits": [4, 4, 4], "correct": [4, 0, 0]}
    assert decide_labels(found_first, wrong, rule).labels == [1.0, 0.0, None]


def test_a_neutral_step_that_counts_as_wrong_is_no_mistake_that_a_search_could_agree_with():
    search = {"visits": [4, 4, 4], "correct": [4, 0, 0]}
    rule = LabelRule("mixed", mixture="consensus", neutral="negative")
    assert decide_labels(GIVEN_UP, search, rule).labels == [None] * 3


def test_a_rule_may_drop_them_with_their_alternatives_and_leave_the_search_its_word():
    options = [
        {"position": 1, "text": "x", "rating": -1, "q_value": None},
        {"position": 1, "text": "y", "rating": 1, "q_value": 0.5},
    ]
    given = row(GIVEN_UP, SEARCH, options=options)
    (found,) = label_rows([given], LabelRule("mixed", given_up="drop"))
    assert set(found.label_source) == {"automatic"}
    assert found.options == [{**options[1], "rating": None}]
    assert label_rows([given], LabelRule("human", given_up="drop"))[0].labels == [None] * 3
    finished = replace(given, human={**GIVEN_UP, "ratings": [1, 1, 1], "finish_reason": "solution"})
    assert label_rows([finished], LabelRule("human", given_up="drop"))[0].labels == [1.0] * 3


def test_a_file_s_give_ups_are_rows_or_counted(tmp_path):
    looks = {
        "rated": [{"annotator": "ann", "ratings": [1], "finish_reason": "give_up", "reason": "?"}],
        "unrated": [{"annotator": "ann", "first_mistake": None, "finish_reason": "give_up", "reason": "?"}],
        "judged": [
            {"annotator": "ann", "ratings": [1], "finish_reason": "give_up", "reason": "?"},
            {"annotator": "bo", "first_mistake": 0},
        ],
    }
    path = tmp_path / "own.jsonl"
    path.write_text(
        "".join(
            json.dumps({"id": name, "problem": f"{name}?", "steps": ["One.", "Two."], "annotations": said})
            + "\n"
            for name, said in looks.items()
        )
    )
    rows, dropped = frozen(path, "annotated")
    assert {one.id: one.labels for one in rows} == {"rated": [1.0, None], "judged": [0.0, None]}
    assert dropped == {"annotations_unfinished": 2, "solutions_without_evidence": 1}
    rows, dropped = frozen(path, "annotated", LabelRule("human", given_up="drop"))
    assert [one.id for one in rows] == ["judged"]
    assert dropped == {"annotations_unfinished": 3, "solutions_without_evidence": 2}


def test_prm800k_keeps_what_was_rated_before_giving_up():
    path = real_data("prm800k/phase1_train.jsonl")
    rows, dropped = frozen(path, "prm800k")
    # Of 134 give-ups 12 have no step yet, and 42 stand in the file a second to fourth time.
    assert dropped == {"solutions_without_usable_steps": 12, "repeated_solutions": 42}
    assert len(rows) == 888 == 942 - 12 - 42 and sum(not has_verdict(one) for one in rows) == 80
    labels = sum(label is not None for one in rows for label in one.labels)
    assert labels + sum(len(one.options) for one in rows) == 46_660
    finished, dropped = frozen(path, "prm800k", LabelRule("human", given_up="drop"))
    assert len(finished) == 808 and dropped["annotations_unfinished"] == 122


@pytest.mark.parametrize(
    ("after_mistake", "mixture", "labels"),
    [
        ("none", "people_override", [1.0, 1.0, None, None]),
        ("wrong", "people_override", [1.0, 1.0, None, None]),
        ("keep", "people_override", [1.0, 1.0, None, None]),
        ("keep", "agreement_weighted", [1.0, 0.5, None, None]),
    ],
)
def test_what_only_follows_from_a_mistake_that_people_overruled_is_no_label(after_mistake, mixture, labels):
    human = {**GIVEN_UP, "ratings": [1, 1, None, None]}
    # OmegaPRM looked no further than its first mistake, and assumes the rest.
    search = {"visits": [8, 8, 0, 0], "correct": [6, 0, 0, 0], "hard": [1.0, 0.0, 0.0, 0.0]}
    rule = LabelRule("mixed", mixture=mixture, after_mistake=after_mistake)
    found = decide_labels(human, search, rule)
    assert found.labels == labels
    assert found.first_mistake is None
    # Rollouts of a step's own are evidence also there, where all of it is kept.
    looked = decide_labels(human, {"visits": [8] * 4, "correct": [6, 0, 0, 0]}, rule)
    assert looked.labels[2:] == ([0.0, 0.0] if after_mistake == "keep" else [None, None])


def test_each_of_those_who_gave_up_speaks_of_the_steps_that_they_rated():
    looks = [Look(name, name, "give_up", [1] * count) for name, count in (("a", 3), ("b", 1), ("c", 1))]
    verdict = verdict_or_ratings(looks, 4, None, "keep")
    assert verdict is not None
    human = evidence_of(verdict, 4)
    assert human["rated_by"] == [3, 1, 1, 0]
    found = decide_labels(
        human,
        {"visits": [8] * 4, "correct": [8, 8, 0, 0]},
        LabelRule("mixed", mixture="agreement_weighted"),
    )
    # Step 2: one person against a search of weight 1, as if the two others had never been asked.
    assert found.labels == [1.0, 1.0, 0.5, None] and found.first_mistake is None
