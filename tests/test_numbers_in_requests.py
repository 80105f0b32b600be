"""What looks like a number and is none: no page may fail over it.

A superscript is a digit to `str.isdigit` and no number to `int`, which refuses more than 4,300 digits, too.
"""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from labelsite.autolabels.importers import identity_of
from labelsite.autolabels.models import SearchTree
from labelsite.environment import whole_number
from ml.errors import MisstepError
from tests.autolabels.files import small_tree
from tests.factories import (
    make_annotation,
    make_campaign,
    make_estimate_run,
    make_task,
    make_token,
    make_user,
)

ODD = ("²", "9" * 5000)
SHOWN = [
    ("/annotate/{campaign}/quality/{person}/", "before"),
    ("/autolabels/", "before"),
    ("/autolabels/{run}/", "after"),
    ("/autolabels/trees/{tree}/", "node"),
    ("/autolabels/trees/{tree}/", "toggled"),
    ("/campaigns/", "before"),
    ("/campaigns/{campaign}/comparison/", "of"),
    ("/campaigns/{campaign}/comparison/", "run"),
    ("/campaigns/{campaign}/comparison/disagreements/", "after"),
    ("/campaigns/{campaign}/exits/", "before"),
    ("/my-day/", "before"),
    ("/snapshots/", "before"),
    ("/training/", "before"),
    ("/training/compare/", "run"),
    ("/training/start/", "snapshot"),
]
SENT = [
    ("/campaigns/{campaign}/members/", "member"),
    ("/campaigns/{campaign}/members/", "shown"),
    ("/campaigns/{campaign}/sections/pick/", "task"),
    ("/campaigns/{campaign}/tasks/{task}/kind/", "positions"),
]
REFUSED = [
    ("/api/v1/campaigns/{campaign}/queue/", "limit"),
    ("/api/v1/campaigns/{campaign}/annotations/", "after"),
    ("/api/v1/campaigns/{campaign}/decisions/", "after"),
]


@pytest.fixture
def rows(db: None) -> dict[str, int]:
    """One row of each kind that the addresses name, by its id."""
    task = make_task(make_campaign(estimate_run=make_estimate_run()))
    problem = task.solution.problem
    tree = SearchTree.objects.create(
        run=make_estimate_run(), problem=problem, node_count=5, data=small_tree(problem.pk)
    )
    person = make_annotation(task, make_user()).annotator_id
    return {
        "campaign": task.campaign_id,
        "task": task.pk,
        "tree": tree.pk,
        "run": tree.run_id,
        "person": person,
    }


@pytest.fixture(params=ODD, ids=["superscript", "endless"])
def odd(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(("address", "name"), SHOWN)
def test_a_page_passes_over_what_is_no_number(
    client: Client, rows, odd: str, address: str, name: str
) -> None:
    client.force_login(make_user("admin"))
    assert client.get(address.format(**rows), {name: odd}).status_code == 200


@pytest.mark.parametrize(("address", "name"), SENT)
def test_a_form_passes_over_or_refuses_what_is_no_number(
    client: Client, rows, odd: str, address: str, name: str
) -> None:
    client.force_login(make_user("admin"))
    assert client.post(address.format(**rows), {name: odd, "kind": "gold"}).status_code in (200, 302)


@pytest.mark.parametrize(("address", "name"), REFUSED)
def test_the_api_refuses_what_is_no_number(client: Client, rows, odd: str, address: str, name: str) -> None:
    headers = {"Authorization": f"Token {make_token(make_user('admin'))}"}
    assert client.get(address.format(**rows), {name: odd}, headers=headers).status_code == 400


def test_ids_in_files_are_refused_as_any_other_text(odd: str) -> None:
    with pytest.raises(MisstepError, match=f"the output names '{odd[0]}"):
        identity_of(odd)


def test_settings_refuse_a_superscript_as_any_other_text(monkeypatch) -> None:
    monkeypatch.setenv("LEASE_SECONDS", "²")
    with pytest.raises(ImproperlyConfigured, match="LEASE_SECONDS is '²'"):
        whole_number("LEASE_SECONDS", 1)
