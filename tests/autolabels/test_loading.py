"""A run's files become rows whole, once, and only when every line is right."""

import pytest

from labelsite.autolabels.loading import load_estimates, load_scores
from labelsite.autolabels.models import EstimateRun, SearchTree, SolutionEstimate, StepEstimate
from labelsite.autolabels.services import start_estimates
from ml.errors import BadRecord, MisstepError
from tests.autolabels.files import estimate_line, small_tree, write_lines, write_run
from tests.factories import make_problem, make_score_run, make_solution

pytestmark = pytest.mark.django_db


def new_run() -> EstimateRun:
    return EstimateRun.objects.create(name="run", method="math-shepherd", policy="pocket")


def test_estimates_stand_at_the_chosen_steps_in_order(tmp_path):
    solution = make_solution(steps=["one", ["two", "another two"], "three"])
    run = new_run()
    load_estimates(run, write_run(tmp_path, [estimate_line(solution.pk, [4, 2, 0])]))
    found = StepEstimate.objects.filter(run=run).order_by("step__position")
    assert [(row.step.text, row.correct, row.q_value, row.hard) for row in found] == [
        ("one", 4, 1.0, 1),
        ("two", 2, 0.5, 1),
        ("three", 0, 0.0, 0),
    ]
    whole = SolutionEstimate.objects.get(run=run)
    assert whole.first_mistake == 2
    assert whole.q_values == [1.0, 0.5, 0.0] == whole.soft_values


def test_a_solution_s_sandbox_level_is_kept_and_a_file_without_one_is_read(tmp_path):
    bare, prose, new = (make_solution(steps=["one"]) for _ in range(3))
    levels = {prose: None, new: "process:landlock5+seccomp-x86_64"}
    written = [estimate_line(one.pk, [4]) | {"sandbox_level": level} for one, level in levels.items()]
    load_estimates(new_run(), write_run(tmp_path, [estimate_line(bare.pk, [4]), *written]))
    kept = [SolutionEstimate.objects.get(solution=one).sandbox_level for one in (bare, prose, new)]
    assert kept == ["", "", "process:landlock5+seccomp-x86_64"]


def test_a_sandbox_level_that_is_no_text_is_refused(tmp_path):
    line = estimate_line(make_solution(steps=["one"]).pk, [4]) | {"sandbox_level": 3}
    with pytest.raises(BadRecord, match="sandbox_level 3, expected a text or null"):
        load_estimates(new_run(), write_run(tmp_path, [line]))


def test_the_run_keeps_what_makes_it_repeatable(tmp_path):
    solution = make_solution()
    run = new_run()
    load_estimates(run, write_run(tmp_path, [estimate_line(solution.pk, [4, 4])]))
    run.refresh_from_db()
    assert run.loaded_at is not None
    assert (run.code_version, run.sandbox_level) == ("1+abc", "monty")
    assert run.cost["tokens"] == 100 and run.cost["solutions"] == 1 and run.cost["steps"] == 2
    assert run.parameters["temperature"] == 0.8


def test_a_run_tells_every_level_at_which_code_ran_to_its_last_word(tmp_path):
    run = new_run()
    level = "monty, bwrap+process:landlock7+seccomp-x86_64, process:landlock7+seccomp-x86_64 UNSAFE"
    load_estimates(run, write_run(tmp_path, [estimate_line(make_solution().pk, [4, 4])], sandbox_level=level))
    run.refresh_from_db()
    assert run.sandbox_level == level


def test_loading_the_same_folder_again_changes_nothing(tmp_path):
    solution = make_solution()
    run, folder = new_run(), write_run(tmp_path, [estimate_line(solution.pk, [4, 1])])
    load_estimates(run, folder)
    load_estimates(run, folder)
    assert StepEstimate.objects.filter(run=run).count() == 2
    run.refresh_from_db()
    assert run.cost["tokens"] == 100


def test_a_step_without_rollouts_has_no_estimate(tmp_path):
    solution = make_solution()
    run = new_run()
    lines = [estimate_line(solution.pk, [4, 0])]
    lines[0]["steps"][1] = {"visits": 0, "correct": 0, "q_value": None, "hard": None, "soft": None}
    load_estimates(run, write_run(tmp_path, lines))
    assert SolutionEstimate.objects.get(run=run).q_values == [1.0, None]


@pytest.mark.parametrize(
    ("hard", "first_mistake", "is_known"),
    [([1, 1], None, True), ([1, None], None, False), ([None, None], None, False), ([0, None], 0, True)],
)
def test_a_run_that_left_a_step_unlabelled_and_names_no_mistake_does_not_say_that_there_is_none(
    tmp_path, hard, first_mistake, is_known
):
    solution, run = make_solution(steps=["one", "two"]), new_run()
    line = estimate_line(solution.pk, [4, 4])
    line["first_mistake"] = first_mistake
    for step, said in zip(line["steps"], hard, strict=True):
        step["hard"] = said
    load_estimates(run, write_run(tmp_path, [line]))
    assert SolutionEstimate.objects.get(run=run).is_known is is_known


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"steps": [{"visits": 4, "correct": 5}]}, "5 correct of 4 visits"),
        ({"steps": [{"visits": 4, "correct": 4, "q_value": 1.5}]}, "q_value 1.5"),
        ({"steps": [{"visits": True, "correct": 0}]}, "visits True"),
        ({"first_mistake": 7}, "first_mistake 7 with 2 steps"),
        ({"id": None}, "id None"),
        ({"steps": None}, "steps is NoneType"),
    ],
)
def test_a_wrong_line_is_refused_by_file_and_line_and_leaves_no_row(tmp_path, change, found):
    solution = make_solution()
    run = new_run()
    folder = write_run(tmp_path, [{**estimate_line(solution.pk, [4, 4]), **change}])
    with pytest.raises(BadRecord, match=r"estimates\.jsonl:1: ") as refusal:
        load_estimates(run, folder)
    assert found in str(refusal.value)
    assert not StepEstimate.objects.filter(run=run).exists()


def test_not_a_number_is_refused(tmp_path):
    solution = make_solution()
    folder = write_run(tmp_path, [])
    (folder / "estimates.jsonl").write_text(
        f'{{"id": "{solution.pk}", "steps": [{{"visits": 1, "correct": 1, "q_value": NaN}}]}}\n'
    )
    with pytest.raises(BadRecord, match="NaN"):
        load_estimates(new_run(), folder)


def test_estimates_of_another_number_of_steps_are_refused(tmp_path):
    good, bad = make_solution(), make_solution()
    run = new_run()
    lines = [estimate_line(good.pk, [4, 4]), estimate_line(bad.pk, [4, 4, 4])]
    with pytest.raises(MisstepError, match="3 steps for solution"):
        load_estimates(run, write_run(tmp_path, lines))
    assert not SolutionEstimate.objects.filter(run=run).exists()


def test_an_unknown_solution_is_refused(tmp_path):
    with pytest.raises(MisstepError, match="solution 999999999, which is not here"):
        load_estimates(new_run(), write_run(tmp_path, [estimate_line(999999999, [4])]))


def test_a_missing_file_is_one_clear_error(tmp_path):
    with pytest.raises(MisstepError, match=r"run\.json is missing"):
        load_estimates(new_run(), tmp_path)


@pytest.mark.parametrize("odd", ["\x00", "\ud83d", "\udc00"])
def test_trees_are_kept_with_their_problem_and_without_what_postgresql_refuses(tmp_path, odd):
    problem = make_problem("2 + 2 =")
    tree = small_tree(problem.pk)
    tree["nodes"][1]["text"] = f"Add{odd} 2 and 2."
    folder = write_run(tmp_path, [])
    write_lines(folder / "trees.jsonl", [tree])
    load_estimates(new_run(), folder)
    kept = SearchTree.objects.get(problem=problem)
    assert kept.node_count == 5
    assert kept.data["nodes"][1]["text"] == "Add\N{REPLACEMENT CHARACTER} 2 and 2."


def test_a_tree_whose_parent_comes_later_is_refused(tmp_path):
    problem = make_problem("2 + 2 =")
    tree = small_tree(problem.pk)
    tree["nodes"][1]["parent"] = 3
    folder = write_run(tmp_path, [])
    write_lines(folder / "trees.jsonl", [tree])
    with pytest.raises(BadRecord, match=r"trees\.jsonl:1: node 1 has parent 3"):
        load_estimates(new_run(), folder)


def test_scores_stand_at_the_chosen_steps(tmp_path):
    solution = make_solution(steps=["one", ["two", "another two"]])
    run = make_score_run()
    load_scores(run, write_lines(tmp_path / "s.jsonl", [{"id": str(solution.pk), "scores": [0.9, 0.25]}]))
    assert list(run.step_scores.order_by("step__position").values_list("step__text", "score")) == [
        ("one", 0.9),
        ("two", 0.25),
    ]


def test_a_score_that_is_no_probability_is_refused(tmp_path):
    solution = make_solution()
    run = make_score_run()
    path = write_lines(tmp_path / "s.jsonl", [{"id": str(solution.pk), "scores": [0.9, 1.25]}])
    with pytest.raises(BadRecord, match=r"score 1\.25"):
        load_scores(run, path)
    assert not run.step_scores.exists()


def test_nothing_to_estimate_is_refused_before_a_job_exists():
    solution = make_solution(problem=make_problem("Why?", answer=None))
    with pytest.raises(MisstepError, match="no solution with a step whose problem has a reference answer"):
        start_estimates(type(solution).objects.filter(pk=solution.pk))
