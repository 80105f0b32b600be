"""Figures on pages are rounded, and not cut off."""

import pytest
from django.urls import reverse
from django.utils import translation

from labelsite.autolabels.templatetags.figures import measure, percent, signed
from tests.autolabels.test_pages import log_in
from tests.factories import make_estimate_run


@pytest.mark.parametrize("language", ["en", "ko"])
def test_two_thirds_are_rounded_up(language):
    with translation.override(language):
        assert (percent(2 / 3), measure(2 / 3), signed(2 / 3)) == ("66.7 %", "0.667", "+0.67")
        assert (percent(1.0), measure(0.9996), signed(-0.005001)) == ("100.0 %", "1.000", "−0.01")


@pytest.mark.django_db
def test_a_run_that_was_imported_promises_no_sandbox_and_no_jobs(client):
    log_in(client, "reviewer")
    page = client.get(reverse("autolabels:run", args=[make_estimate_run(method="math_aps").pk]))
    facts = page.content.decode()
    assert "known when it is done" not in facts and "<dt>Jobs</dt>" not in facts
