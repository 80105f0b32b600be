"""The help that a field of a form names as its own stands on the page, wherever the form is."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from labelsite.annotations import uploads
from tests.factories import make_campaign, make_problem, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db
DESCRIBED = re.compile(r'aria-describedby="([^"]+)"')
PAGES = [
    "accounts:settings",
    "annotations:import",
    "annotations:import_preview",
    "autolabels:search",
    "campaigns:settings",
    "campaigns:sections",
    "comparison:estimate",
    "snapshots:list",
    "training:start",
]


@pytest.fixture
def addresses(settings, tmp_path) -> dict[str, str]:
    settings.MEDIA_ROOT = tmp_path
    campaign = make_campaign()
    make_task(campaign, make_solution(["A step."]))
    make_problem("1 + 2 =", source="pocket")
    file = uploads.keep("lines.jsonl", [b'{"problem": "What is $2^2$?", "steps": ["It is 4."]}\n'])
    parts = dict.fromkeys(("campaigns:settings", "campaigns:sections", "comparison:estimate"), campaign.pk)
    parts["annotations:import_preview"] = file.id
    return {name: reverse(name, args=[parts[name]] if name in parts else None) for name in PAGES}


@pytest.mark.parametrize("name", PAGES)
def test_what_describes_a_field_is_on_its_page(client, addresses, name) -> None:
    client.force_login(make_user("admin"))
    page = client.get(addresses[name]).content.decode()
    described = {word for words in DESCRIBED.findall(page) for word in words.split()}
    assert described, "no field has help: the test looks in the wrong place"
    assert not {word for word in described if f'id="{word}"' not in page}
