"""A search that counts each distinct end once has no success rates to learn from."""

from __future__ import annotations

import pytest
from django.urls import reverse

from labelsite.training.checks import refuse_what_would_fail
from ml.errors import MisstepError
from tests.factories import log_in
from tests.training.test_label_options import doubts, frozen
from tests.training.test_pages import asked

pytestmark = pytest.mark.django_db


def test_shares_of_the_distinct_ends_of_a_search_are_not_learned(client):
    log_in(client, "admin")
    snapshot = frozen()
    snapshot.manifest["lineage"] = {"estimates": {"method": "rstar"}}
    snapshot.save()
    told = "rstar counts each distinct end once"
    plan = client.get(reverse("training:start"), asked(snapshot, target="soft")).context["plan"]
    assert not plan.can_start and any(check.text.startswith(told) for check in plan.checks)
    with pytest.raises(MisstepError, match=told):
        refuse_what_would_fail(snapshot, {"labels": "mixed", "target": "soft", "objective": "value"})
    refuse_what_would_fail(snapshot, {"labels": "mixed", "target": "soft", "objective": "outcome"})
    assert doubts(client, snapshot) == []
