"""The formats of automatic labels: Math-Shepherd and MATH-APS."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest

from ml import formats
from ml.errors import BadRecord
from ml.formats import math_aps, math_shepherd
from ml.formats.lines import Unreadable
from tests.data import real_data


def test_real_math_shepherd_lines_come_back_character_for_character():
    path = real_data("math_shepherd/samples.jsonl")
    assert formats.guess(path) == "math_shepherd"
    read = list(formats.read(path, "math_shepherd"))
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(read) == len(lines) == 7
    for found, line in zip(read, lines, strict=True):
        solution = found.solution
        signs = ["+" if good else "-" for good in solution.extra["hard"]]
        labelled = (f"{step} {sign}" for step, sign in zip(solution.steps, signs, strict=True))
        record = json.loads(line)
        assert record["label"] == f"{solution.problem.text} " + "\n".join(labelled)
        assert record["task"] == solution.extra["task"] and found.annotation is None


def test_signs_inside_steps_are_not_labels():
    record = {
        "input": "What is 1 + 1 - 1? Step 1: 1 + 1 = 2 ки\nStep 2: 2 - 1 = - 1 ки",
        "label": "What is 1 + 1 - 1? Step 1: 1 + 1 = 2 +\nStep 2: 2 - 1 = - 1 -",
    }
    (found,) = math_shepherd.parse(record, 1)
    assert found.solution.problem.text == "What is 1 + 1 - 1?"
    assert found.solution.steps == ("Step 1: 1 + 1 = 2", "Step 2: 2 - 1 = - 1")
    assert found.solution.extra["hard"] == [1, 0]


@pytest.mark.parametrize(
    ("text", "label", "problem", "steps", "hard"),
    [
        (
            "What is 1 + 1? step 1: add ки\nstep 2: 2 ки",
            "What is 1 + 1? step 1: add +\nstep 2: 2 -",
            "What is 1 + 1?",
            ("step 1: add", "step 2: 2"),
            [1, 0],
        ),
        (
            "Why? What is 1 + 1? We add. ки\n2 ки",
            "Why? What is 1 + 1? We add. -\n2 -",
            "Why? What is 1 + 1?",
            ("We add.", "2"),
            [0, 0],
        ),
        (
            "Mr. ки Rocky has 1 hen. How many? Step 1: 1? ки\nStep 2: 1 ки",
            "Mr. + Rocky has 1 hen. How many? Step 1: 1? -\nStep 2: 1 +",
            "Mr. Rocky has 1 hen. How many?",
            ("Step 1: 1?", "Step 2: 1"),
            [0, 1],
        ),
        (
            "What is it? ки Step 1: 1 ки",
            "What is it? + Step 1: 1 -",
            "What is it?",
            ("Step 1: 1",),
            [0],
        ),
        (
            "Find x? First: 5 ки\nFrom step 1: we get 6 ки",
            "Find x? First: 5 +\nFrom step 1: we get 6 -",
            "Find x?",
            ("First: 5", "From step 1: we get 6"),
            [1, 0],
        ),
        (
            "Find x? First: 5 ки\nStep 2: as in Step 1: 6 ки",
            "Find x? First: 5 -\nStep 2: as in Step 1: 6 +",
            "Find x?",
            ("First: 5", "Step 2: as in Step 1: 6"),
            [0, 1],
        ),
    ],
)
def test_published_math_shepherd_lines_need_not_begin_their_first_step_with_its_mark(
    text, label, problem, steps, hard
):
    (found,) = math_shepherd.parse({"input": text, "label": label}, 1)
    solution = found.solution
    assert (solution.problem.text, solution.steps, solution.extra["hard"]) == (problem, steps, hard)


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        ("p Step 1: a", "p Step 1: a", "without ки"),
        ("p Step 1: a ки", "p Step 1: b +", "differs from the input at step 1"),
        ("p Step 1: a ки", "p Step 1: a ?", "'\\?' after step 1"),
        ("p Step 1: a ки more", "p Step 1: a + more", "text after the last"),
        ("p a ки", "p a +", "without a problem before 'Step 1:'"),
        ("p Step 1: a ки ки", "p Step 1: a + +", "no step between"),
    ],
)
def test_math_shepherd_lines_that_do_not_align_are_refused(text, label, message):
    with pytest.raises(Unreadable, match=message):
        list(math_shepherd.parse({"input": text, "label": label}, 1))


def test_real_flat_prefixes_become_steps_with_the_rollouts_share():
    path = real_data("math_aps/samples_flat.jsonl")
    assert formats.guess(path) == "math_aps"
    read = list(formats.read(path, "math_aps"))
    values: dict[tuple[int, str], list[float]] = defaultdict(list)
    for line, record in enumerate(map(json.loads, path.open(encoding="utf-8")), start=1):
        for entry in record["reasoning_steps"]:
            # The same prefix may come twice, from two nodes of the search with rollouts of their own.
            body = entry["solution_prefix"].removeprefix(record["question"]).strip()
            values[line, body].append(entry["mc_value"])
    assert len(read) == len([body for _, body in values if body]) == 132
    for found, ((line, body), value) in zip(
        read, [item for item in values.items() if item[0][1]], strict=True
    ):
        assert (found.line, "".join("".join(found.solution.steps).split())) == (line, "".join(body.split()))
        assert found.solution.extra["soft"][-1] == pytest.approx(sum(value) / len(value))
        assert len(found.solution.extra["soft"]) == len(found.solution.steps)


def test_real_trees_have_one_solution_for_each_leaf():
    path = real_data("math_aps/samples_tree.jsonl")

    def leaves(node: dict) -> int:
        return sum(map(leaves, node["children"])) or 1

    for line, text in enumerate(path.open(encoding="utf-8"), start=1):
        record = json.loads(text)
        read = list(math_aps.parse(record, line))
        assert len(read) == leaves(record["reasoning_steps"])
        assert {found.solution.problem.text for found in read} == {record["question"]}


def test_flat_prefixes_cut_each_other_into_steps():
    entries = [("q", 0.5), ("q\n\na.", 0.75), ("q\n\n a. b.", 1.0), ("q\n\na. b. c.", 0.0)]
    steps = [{"solution_prefix": prefix, "mc_value": value} for prefix, value in entries]
    read = list(math_aps.parse({"question": "q", "reasoning_steps": steps}, 4))
    assert [found.solution.id for found in read] == ["4/0", "4/1", "4/2"]
    assert read[2].solution.steps == ("a.", "b.", "c.")
    assert read[2].solution.extra["soft"] == [0.75, 1.0, 0.0]


def test_a_prefix_that_ends_inside_a_number_does_not_cut_it():
    entries = [("q\n\nx = 1", 0.25), ("q\n\nx = 12\n\ny = 3", 1.0), ("q\n\nx = 12", 0.5)]
    steps = [{"solution_prefix": prefix, "mc_value": value} for prefix, value in entries]
    read = list(math_aps.parse({"question": "q", "reasoning_steps": steps}, 1))
    assert [found.solution.steps for found in read] == [("x = 1",), ("x = 12", "y = 3"), ("x = 12",)]
    assert [found.solution.extra["soft"] for found in read] == [[0.25], [0.5, 1.0], [0.5]]


def test_a_leaf_that_holds_the_rest_of_a_solution_is_cut_and_only_its_last_step_has_the_value():
    leaf = {"text": "s2\n\ns3\n\n$$\na\n\nb\n$$\n\ns4", "mc_value": 0.0, "children": []}
    first = {"text": "s1\n\nstill s1", "mc_value": 0.5, "children": [leaf]}
    tree = {"text": "q", "mc_value": 0.5, "children": [first]}
    (found,) = math_aps.parse({"question": "q", "reasoning_steps": tree}, 1)
    # Neither a step that others follow nor displayed LaTeX is cut.
    assert found.solution.steps == ("s1\n\nstill s1", "s2", "s3", "$$\na\n\nb\n$$", "s4")
    assert found.solution.extra["soft"] == [0.5, None, None, None, 0.0]


@pytest.mark.parametrize(
    "steps",
    [
        [],
        "q",
        [{"solution_prefix": "other", "mc_value": 0.5}],
        [{"solution_prefix": "q a", "mc_value": 1.5}],
        {"text": "q", "children": [{"text": "a"}]},
        {"text": "q", "children": "a"},
    ],
)
def test_math_aps_lines_that_mean_nothing_are_refused(steps):
    with pytest.raises(Unreadable):
        list(math_aps.parse({"question": "q", "reasoning_steps": steps}, 1))


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"text": "b"}, "no key `mc_value` (keys: text), expected a `mc_value`"),
        ({"text": " ", "mc_value": 1}, '`text` = " ", expected a text'),
        ({"text": "b", "mc_value": 2}, "`mc_value` = 2, expected a number from 0 to 1"),
    ],
)
def test_a_tree_that_cannot_be_read_is_told_by_file_line_tree_and_node(tmp_path, bad, told):
    path = tmp_path / "upload.jsonl"
    leaf = {"text": "a", "mc_value": 0.5, "children": []}
    trees = [[leaf], [leaf, {**leaf, "children": [bad]}]]
    lines = [
        {"question_id": f"t{number}", "question": "q", "reasoning_steps": {"text": "q", "children": children}}
        for number, children in enumerate(trees)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(BadRecord) as refused:
        list(formats.read(path, "math_aps", name="trees.jsonl"))
    place = "tree 't1', reasoning_steps.children[1].children[0]"
    assert str(refused.value) == f"trees.jsonl:2: {place}: {told}"


def test_a_tree_too_deep_to_be_a_search_is_refused():
    node: dict = {"text": "leaf", "mc_value": 1.0, "children": []}
    for _ in range(150):
        node = {"text": "step", "mc_value": 1.0, "children": [node]}
    with pytest.raises(Unreadable, match="more than 100 steps"):
        list(math_aps.parse({"question": "q", "reasoning_steps": node}, 1))


def test_our_search_tree_is_written_as_a_math_aps_tree_that_reads_back():
    def node(number, parent, text, visits, q_value):
        return {"id": number, "parent": parent, "text": text, "visits": visits, "q_value": q_value}

    nodes = [
        node(0, None, "", 8, 0.5),
        node(1, 0, "a", 4, 1.0),
        node(2, 0, "b", 4, -1.0),
        node(3, 1, "c", 2, 0.75),
    ]
    nodes += [node(4, 0, "never seen", 0, None), node(5, 4, "nor what is below", 0, None)]
    written = math_aps.write_record({"id": "p-1", "problem": "q", "answer": "2", "nodes": nodes})
    read = list(math_aps.parse(json.loads(json.dumps(written)), 1))
    assert [(found.solution.steps, found.solution.extra["soft"]) for found in read] == [
        (("a", "c"), [1.0, 0.75]),
        (("b",), [0.0]),
    ]
    assert read[0].solution.problem.answer == "2"
    assert written["reasoning_steps"]["mc_value"] == 0.5
