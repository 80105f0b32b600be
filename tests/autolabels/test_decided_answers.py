"""What a reviewer said of an answer counts in the next run over the same problem, and the run says so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from labelsite.autolabels.disputes import decide, lines_of, words_on
from labelsite.autolabels.loading import load_shard
from labelsite.autolabels.models import DisputedAnswer
from labelsite.autolabels.services import prepare_input, start_search
from labelsite.campaigns.models import Campaign
from labelsite.comparison.services import start_campaign_estimates
from labelsite.problems.models import Problem
from ml.commands import autolabel
from ml.search.decided import read_decided
from tests.factories import (
    make_campaign,
    make_estimate_run,
    make_problem,
    make_solution,
    make_task,
    make_user,
)
from tests.ml.search.test_decided import Unreduced

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def policy(monkeypatch):
    monkeypatch.setattr(autolabel, "load_policy", lambda spec, engines, **_: Unreduced())


@pytest.fixture
def campaign() -> Campaign:
    """One solution, whose rollouts all end in 2/4 where the reference says 1/2."""
    campaign = make_campaign()
    solution = make_solution(["Half.", "The answer is 2/4."], problem="What is half?", answer="1/2")
    make_task(campaign, solution)
    return campaign


def perform(campaign, tmp_path, name):
    """A run of the campaign from its start to its rows, the command itself included."""
    run = start_campaign_estimates(campaign, None, "math-shepherd", "pocket", 2, 0)
    folders = {"in": tmp_path / name / "in", "out": tmp_path / name / "out"}
    folders["in"].mkdir(parents=True)
    shard = run.shards.get()
    prepare_input(shard.job, folders["in"])
    autolabel.main([part.format(**folders) for part in shard.job.spec["arguments"]])
    load_shard(shard, folders["out"])
    run.refresh_from_db()
    return run


def say(problem, verdict, reviewer, when, reference="1/2"):
    """A reviewer's word on 2/4 in a run of its own."""
    DisputedAnswer.objects.create(
        run=make_estimate_run(), problem=problem, reference=reference, answer="2/4", is_correct=True,
        verdict=verdict, decided_by=reviewer, decided_at=when,
    )  # fmt: skip


def test_a_word_counts_in_the_campaigns_next_run_and_the_run_says_so(client, campaign, tmp_path):
    first = perform(campaign, tmp_path, "first")
    dispute = first.disputed_answers.get()
    assert first.solution_estimates.get().q_values == [1.0, 1.0]
    decide(dispute, False, make_user("reviewer"))
    second = perform(campaign, tmp_path, "second")
    assert second.solution_estimates.get().q_values == [0.0, 0.0]
    assert second.cost["decided_answers"] == 1 and first.cost["decided_answers"] == 0
    assert not second.disputed_answers.exists()
    client.force_login(make_user("reviewer"))
    pages = [client.get(f"/autolabels/{run.pk}/").content.decode() for run in (first, second)]
    assert ["judged by people" in page for page in pages] == [False, True]


def test_a_run_keeps_the_words_it_was_started_with(campaign, tmp_path):
    perform(campaign, tmp_path, "first")
    reviewer = make_user("reviewer")
    decide(DisputedAnswer.objects.get(), False, reviewer)
    job = start_campaign_estimates(campaign, None, "math-shepherd", "pocket", 2, 0).shards.get().job
    decide(DisputedAnswer.objects.get(), True, reviewer)
    prepare_input(job, tmp_path)
    assert '"is_correct": false' in (tmp_path / "decided.jsonl").read_text()


def test_a_run_without_any_word_is_started_as_ever(campaign):
    job = start_campaign_estimates(campaign, None, "math-shepherd", "pocket", 2, 0).shards.get().job
    assert "decided" not in job.spec and "--decided" not in job.spec["arguments"]


def test_the_last_word_of_all_runs_counts_and_only_on_its_own_problem(campaign):
    problem, other = make_problem("What is half?", answer="1/2"), make_problem(answer="1/2")
    now, reviewer = timezone.now(), make_user("reviewer")
    for days, verdict in ((1, True), (3, False), (2, True)):
        say(problem, verdict, reviewer, now + timedelta(days=days))
    DisputedAnswer.objects.create(run=make_estimate_run(), problem=problem, answer="3/6", is_correct=True)
    assert words_on([problem.pk]) == [[problem.pk, "2/4", False, "1/2"]]
    assert words_on([other.pk]) == []
    job = start_search(type(problem).objects.filter(pk=problem.pk)).shards.get().job
    assert job.spec["decided"] == [[problem.pk, "2/4", False, "1/2"]]


def test_opposite_words_on_one_problem_under_two_sources_are_one_word_and_the_job_reads_it(tmp_path):
    problems = [make_problem("What is half?", "1/2", source=name) for name in ("here", "there")]
    now, reviewer = timezone.now(), make_user("reviewer")
    say(problems[0], True, reviewer, now + timedelta(days=1))
    say(problems[1], False, reviewer, now)
    assert words_on([problem.pk for problem in problems]) == [[problems[0].pk, "2/4", True, "1/2"]]
    run = start_search(Problem.objects.filter(pk__in=[problem.pk for problem in problems]))
    prepare_input(run.shards.get().job, tmp_path)
    assert read_decided(tmp_path / "decided.jsonl") == {("What is half?", "1/2", "2/4"): True}


def test_a_word_is_passed_on_with_the_reference_that_the_answer_was_graded_against():
    problem, now, reviewer = make_problem("What is half?", "1/2"), timezone.now(), make_user("reviewer")
    say(problem, True, reviewer, now)
    # The policy's majority stood in for the problem's answer.
    say(problem, False, reviewer, now + timedelta(days=1), "0.5 m")
    written = {line["reference"]: line["is_correct"] for line in lines_of(words_on([problem.pk]))}
    assert written == {"1/2": True, "0.5 m": False}
