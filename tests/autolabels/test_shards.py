"""A run is cut so that every worker that listens has work, and no job is too small to be worth its start."""

import pytest

from labelsite.autolabels.services import start_search
from labelsite.autolabels.shards import LARGEST, SMALLEST, shard_size
from labelsite.jobs.models import Worker
from labelsite.jobs.workers import say_alive, say_goodbye, slots_serving
from labelsite.problems.models import Problem
from tests.factories import make_problem


@pytest.mark.parametrize(
    ("items", "slots", "expected"),
    [
        (400, 1, 400),
        (400, 0, 400),
        (400, 4, 50),
        (100, 16, 25),
        (30, 16, 30),
        (10_000, 2, 500),
        (10_000, 100, 50),
        (1001, 1, 334),
    ],
)
def test_the_size_follows_the_items_and_the_jobs_that_run_at_once(items, slots, expected):
    assert shard_size(items, slots) == expected


def test_no_job_is_larger_than_the_largest_and_only_a_small_run_has_a_small_one():
    for items in range(1, 3000, 37):
        for slots in (0, 1, 2, 3, 8, 64):
            size = shard_size(items, slots)
            assert min(items, SMALLEST) <= size <= LARGEST


@pytest.mark.django_db
def test_the_jobs_that_living_workers_do_at_once_are_counted_by_queue():
    say_alive("default@one", ["default"], slots=2)
    say_alive("both@two", ["default", "gpu"], slots=3)
    say_alive("gpu@two", ["gpu"])
    assert slots_serving("default") == 5
    say_goodbye("default@one")
    assert (slots_serving("default"), slots_serving("gpu")) == (3, 4)


@pytest.mark.django_db
def test_a_run_spreads_over_the_workers_that_are_there():
    for number in range(100):
        make_problem(f"{number} + 2 =")
    assert start_search(Problem.objects.all()).shards.count() == 1
    say_alive("default@one", ["default"], slots=1)
    say_alive("default@two", ["default"], slots=1)
    assert Worker.objects.count() == 2
    run = start_search(Problem.objects.all())
    assert list(run.shards.values_list("size", flat=True)) == [25] * 4
