"""The learning rate of a run that the form left open: told before it starts, and left to the command."""

from __future__ import annotations

import pytest
from django.urls import reverse

from labelsite.training.models import TrainingRun
from tests.factories import log_in
from tests.training.test_pages import asked, make_snapshot

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("base", "lora", "rate"),
    [("pocket", 0, 0.001), ("/models/given", 0, 0.00001), ("/models/given", 8, 0.0001)],
)
def test_an_open_learning_rate_is_the_base_s_own_and_told_before_it_starts(client, base, lora, rate):
    log_in(client, "admin")
    form = asked(make_snapshot(), base=base, lora=lora, learning_rate="")
    page = client.get(reverse("training:start"), form)
    assert page.context["plan"].learning_rate == rate
    assert "<dt>Learning rate</dt>" in page.content.decode()
    client.post(reverse("training:start"), form)
    assert "--learning-rate" not in TrainingRun.objects.get().job.spec["arguments"]


def test_a_learning_rate_that_was_asked_for_goes_to_the_command(client):
    log_in(client, "admin")
    client.post(reverse("training:start"), asked(make_snapshot(), base="/models/given", learning_rate=0.25))
    arguments = TrainingRun.objects.get().job.spec["arguments"]
    assert arguments[arguments.index("--learning-rate") + 1] == "0.25"
