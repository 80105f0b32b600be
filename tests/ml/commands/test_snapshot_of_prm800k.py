"""`python -m ml snapshot` of a site's PRM800K lines: whose word counts beside the checker's."""

from __future__ import annotations

from ml.commands.snapshot import main
from ml.snapshot import read_snapshot
from tests.autolabels.files import write_lines


def prm800k_line(labeler, ratings, finish_reason):
    steps = [
        {
            "completions": [{"text": f"step {place}", "rating": rating, "flagged": False}],
            "human_completion": None,
            "chosen_completion": None if rating == -1 else 0,
        }
        for place, rating in enumerate(ratings)
    ]
    return {
        "labeler": labeler,
        "timestamp": "2026-01-31T12:00:00",
        "generation": None,
        "is_quality_control_question": False,
        "is_initial_screening_question": False,
        "question": {
            "problem": "What is 1 + 1?",
            "ground_truth_answer": "2",
            "pre_generated_steps": ["step 0", "step 1", "step 2"],
        },
        "label": {"steps": steps, "total_time": 1000, "finish_reason": finish_reason},
    }


def test_people_silence_the_checker_in_a_site_s_prm800k_lines_as_they_do_on_the_site(tmp_path):
    checker = prm800k_line("imported:checker", [-1], "found_error")
    person = prm800k_line("ann", [1, 1, -1], "found_error")
    path = write_lines(tmp_path / "annotations.jsonl", [checker, person])
    assert main(["--solutions", str(path), "--out", str(tmp_path / "snapshot")]) == 0
    (row,) = read_snapshot(tmp_path / "snapshot")
    assert (row.first_mistake, row.human["witnesses"]) == (2, {"ann": 2})


def test_the_checker_of_a_site_s_prm800k_lines_is_heard_where_it_is_alone(tmp_path):
    path = write_lines(
        tmp_path / "annotations.jsonl", [prm800k_line("imported:checker", [-1], "found_error")]
    )
    assert main(["--solutions", str(path), "--out", str(tmp_path / "snapshot")]) == 0
    (row,) = read_snapshot(tmp_path / "snapshot")
    assert (row.first_mistake, row.human["origins"]) == (0, ["checker"])
