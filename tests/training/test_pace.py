"""How long a run will take is told from runs that do the same."""

import pytest

from labelsite.training.checks import plan_for
from labelsite.training.models import Checkpoint
from labelsite.training.services import start_training
from tests.training.test_pages import make_snapshot

pytestmark = pytest.mark.django_db


def seconds(objective: str) -> float | None:
    chosen = {"labels": "mixed", "base": "pocket", "batch_size": 16, "steps": 100}
    return plan_for(make_snapshot(), {**chosen, "objective": objective}).seconds


def test_the_pace_of_one_objective_tells_nothing_of_another() -> None:
    for number, (objective, took) in enumerate([("classifier", 100), ("preference", 900)]):
        card = {"config": {"steps": 100, "batch_size": 16, "trees": "solution"}, "seconds": took}
        run = start_training(make_snapshot(), "mixed", objective)
        Checkpoint.objects.create(run=run, folder=str(number) * 64, sha256=str(number) * 64, card=card)
    assert (seconds("classifier"), seconds("preference"), seconds("value")) == (100, 900, None)
