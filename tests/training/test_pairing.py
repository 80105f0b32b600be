"""Runs side by side: how far apart their checkpoints are on the same solutions, and how sure that is."""

import json
import random

import pytest
from django.urls import reverse

from labelsite.jobs.models import JobState
from labelsite.training import pairing
from labelsite.training.models import Evaluation
from labelsite.training.pairing import OUTCOMES, Share, pairs
from labelsite.training.services import start_training
from tests.factories import log_in, make_job
from tests.training.test_pages import make_checkpoint, make_snapshot

pytestmark = pytest.mark.django_db


@pytest.fixture
def runs():
    snapshot = make_snapshot()
    made = [start_training(snapshot, "mixed", seed=seed) for seed in (1, 2)]
    for run in made:
        make_checkpoint(run)
    return made


def measured(run, share, campaign=7, seen=0, state=JobState.DONE, seed=3):
    """An evaluation that found so large a share of 200 first mistakes, of which `seen` are of training problems."""
    job = make_job(verb="evaluate", state=state, spec={"campaign": campaign})
    job.outputs.mkdir(parents=True)
    generator = random.Random(seed)
    with (job.outputs / OUTCOMES).open("w") as stream:
        for number in range(200):
            truth = number % 2 - 1
            said = truth if generator.random() < share else 5
            line = {"id": str(number), "problem": str(number), "first_mistake": truth, "held_out": said}
            stream.write(json.dumps(line | ({"unseen": said} if number >= seen else {})) + "\n")
    return Evaluation.objects.create(
        checkpoint=run.checkpoint, job=job, kind="first-mistake", data=f"data {campaign}"
    )


def test_the_page_shows_the_paired_difference_and_how_sure_it_is(client, runs):
    log_in(client, "reviewer")
    measured(runs[0], 0.6, seen=20)
    measured(runs[1], 0.9, seen=10)
    page = client.get(reverse("training:compare"), {"run": [run.pk for run in runs]})
    [pair] = page.context["pairs"]
    # The newest run stands first, and the other is held against it.
    assert (pair.run, pair.data, pair.count) == (runs[0], "data 7", 180)
    assert pair.exact.gain < 0 and pair.exact.is_sure and pair.f1.ends[0] < pair.f1.gain < pair.f1.ends[1]
    assert "bootstrap over at least six problems" in page.content.decode()
    assert f"−{abs(pair.exact.gain):.3f}" in page.content.decode()


def test_a_difference_that_may_be_chance_is_not_called_one(runs):
    measured(runs[0], 0.80)
    measured(runs[1], 0.81, seed=4)
    [pair] = pairs(runs)
    assert not pair.exact.is_sure and pair.exact.ends[0] <= 0 <= pair.exact.ends[1]


def test_the_newest_finished_evaluations_of_the_same_campaign_are_paired(runs):
    measured(runs[0], 0.1)
    measured(runs[0], 0.9)
    measured(runs[0], 0.0, state=JobState.FAILED)
    measured(runs[1], 0.9)
    measured(runs[0], 0.5, campaign=8)
    [pair] = pairs(runs)
    assert (pair.exact.gain, pair.data) == (0.0, "data 7")


def test_what_was_computed_once_is_kept_until_an_outcome_changes(runs, monkeypatch):
    evaluations = [measured(run, share) for run, share in zip(runs, (0.6, 0.9), strict=True)]
    computed = pairs(runs)
    with monkeypatch.context() as patched:
        patched.setattr(pairing, "read_outcomes", None)
        assert pairs(runs) == computed
    (evaluations[0].job.outputs / OUTCOMES).write_bytes((evaluations[1].job.outputs / OUTCOMES).read_bytes())
    assert [pair.exact.gain for pair in pairs(runs)] == [0.0]


def test_without_kept_outcomes_the_page_says_what_is_missing(client, runs):
    log_in(client, "reviewer")
    measured(runs[0], 0.5)
    (measured(runs[1], 0.5).job.outputs / OUTCOMES).unlink()
    page = client.get(reverse("training:compare"), {"run": [run.pk for run in runs]})
    assert page.context["pairs"] == [] and "How sure a difference is shows here once" in page.content.decode()


def test_runs_that_know_all_problems_by_heart_are_not_compared(runs):
    for run in runs:
        measured(run, 0.5, seen=200)
    assert pairs(runs) == []


def test_two_problems_that_point_one_way_are_no_sure_difference():
    assert not Share(1.0, (1.0, 1.0), problems=2).is_sure
    assert Share(1.0, (1.0, 1.0), problems=6).is_sure
    assert not Share(0.1, (-0.1, 0.3), problems=100).is_sure
