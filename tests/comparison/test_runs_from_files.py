"""Estimates that were made elsewhere of a file become a campaign's, all of them or none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from labelsite.annotations.importers import import_file
from labelsite.autolabels.models import EstimateRun, SolutionEstimate
from labelsite.campaigns.models import Campaign
from ml.__main__ import main as ml_main
from tests.autolabels.files import estimate_line, write_lines, write_run

pytestmark = pytest.mark.django_db
LINES: list[dict[str, Any]] = [
    {
        "problem": f"What is 1 + {number}?",
        "answer": str(number + 1),
        "steps": ["We add.", f"It is {number + 1}."],
    }
    for number in range(3)
]


def campaign_of(folder: Path, lines: list[dict[str, Any]]) -> tuple[Path, Campaign]:
    path = write_lines(folder / "own.jsonl", lines)
    import_file(path, "records", "Own", create=not Campaign.objects.exists())
    return path, Campaign.objects.get(name="Own")


def load(folder: Path, solutions: Path, **options: Any) -> None:
    call_command(
        "load_estimates", str(folder), campaign="Own", solutions=solutions, format="records", **options
    )


def test_estimates_of_the_command_line_become_the_campaign_s(tmp_path: Path, capsys):
    path, campaign = campaign_of(tmp_path, [{"id": f"s{k}", **line} for k, line in enumerate(LINES)])
    estimates = [estimate_line(f"s{number}", [4, number]) for number in (2, 0, 1)]
    load(write_run(tmp_path / "est", estimates, method="omegaprm", seed=7), path, name="from the cluster")
    campaign.refresh_from_db()
    run = campaign.estimate_run
    assert run is not None and run.loaded_at is not None
    assert (run.name, run.method, run.seed, run.policy) == ("from the cluster", "omegaprm", 7, "pocket")
    found = {one.solution.external_id: one.q_values for one in SolutionEstimate.objects.filter(run=run)}
    assert found == {"s0": [1.0, 0.0], "s1": [1.0, 0.25], "s2": [1.0, 0.5]}
    assert "estimates of 3 solutions and 6 steps" in capsys.readouterr().out


def test_what_autolabel_itself_writes_is_taken_in(tmp_path: Path):
    path, campaign = campaign_of(tmp_path, LINES)
    given = [
        "--solutions",
        str(path),
        "--format",
        "records",
        "--rollouts",
        "1",
        "--out",
        str(tmp_path / "est"),
    ]
    assert ml_main(["autolabel", *given]) == 0
    load(tmp_path / "est", path)
    campaign.refresh_from_db()
    assert SolutionEstimate.objects.filter(run=campaign.estimate_run).count() == 3


def test_line_numbers_of_one_file_are_not_taken_for_those_of_another(tmp_path: Path):
    campaign_of(tmp_path, LINES)
    turned = write_lines(tmp_path / "turned.jsonl", LINES[::-1])
    load(write_run(tmp_path / "est", [estimate_line("1", [4, 1])]), turned)
    (found,) = SolutionEstimate.objects.select_related("solution__problem")
    assert found.solution.problem.text == "What is 1 + 2?"


def test_solutions_of_the_same_content_get_a_line_each(tmp_path: Path):
    path, _ = campaign_of(tmp_path, [{"id": "a", **LINES[0]}, {"id": "b", **LINES[0]}])
    load(write_run(tmp_path / "est", [estimate_line("b", [4, 1]), estimate_line("a", [4, 2])]), path)
    found = {one.solution.external_id: one.q_values[1] for one in SolutionEstimate.objects.all()}
    assert found == {"a": 0.5, "b": 0.25}


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (
            [estimate_line("1", [4, 4]), estimate_line("9", [4, 4])],
            r"estimates\.jsonl:2: id '9', expected an id of",
        ),
        ([estimate_line("1", [4, 4]), estimate_line("1", [4, 4])], r"estimates\.jsonl:2: id '1' again"),
        (
            [estimate_line("1", [4, 4]), estimate_line("2", [4])],
            r"estimates\.jsonl:2: 1 steps of '2', expected .* 2",
        ),
        (
            [estimate_line("1", [4, 4]), estimate_line("4", [4])],
            r"estimates\.jsonl:2: id '4', whose problem .* Own",
        ),
        ([estimate_line("1", [4, 4]), {"id": "2"}], r"est/estimates\.jsonl:2: steps is NoneType"),
        ([], r"estimates\.jsonl:1: no line"),
    ],
)
def test_a_line_that_does_not_belong_is_refused_with_its_file_and_line_and_nothing_is_loaded(
    tmp_path: Path, lines: list[dict[str, Any]], complaint: str
):
    _, campaign = campaign_of(tmp_path, LINES)
    more = write_lines(tmp_path / "more.jsonl", [*LINES, {"problem": "Another?", "steps": ["one"]}])
    with pytest.raises(CommandError, match=complaint):
        load(write_run(tmp_path / "est", lines), more)
    campaign.refresh_from_db()
    assert campaign.estimate_run is None and not EstimateRun.objects.exists()


def test_a_folder_of_trees_and_an_unknown_campaign_are_refused(tmp_path: Path):
    path, _ = campaign_of(tmp_path, LINES)
    folder = write_run(tmp_path / "est", [estimate_line("1", [4, 4])])
    (folder / "trees.jsonl").write_text(json.dumps({}))
    with pytest.raises(CommandError, match="trees of fresh problems"):
        load(folder, path)
    with pytest.raises(CommandError, match="no campaign 'None of ours'"):
        call_command("load_estimates", str(folder), campaign="None of ours", solutions=path, format="records")
