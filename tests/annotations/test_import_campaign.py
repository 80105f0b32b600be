"""An import into a campaign that is not there makes it only where that is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from labelsite.campaigns.models import Campaign, Task
from tests.annotations.test_import import processbench_line
from tests.factories import make_campaign

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "some.jsonl"
    path.write_text(processbench_line(1) + "\n")
    return path


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_misspelt_campaign_is_refused_and_the_nearest_one_named(path: Path, dry_run: bool):
    make_campaign("gsm8k-train")
    with pytest.raises(CommandError, match=r"no campaign 'gsm8k-trian'.*'gsm8k-train'.*--create-campaign"):
        call_command(
            "import_solutions", str(path), format="processbench", campaign="gsm8k-trian", dry_run=dry_run
        )
    assert Campaign.objects.count() == 1 and not Task.objects.exists()


def test_a_campaign_is_made_where_that_is_asked_for_and_said_to_be_new(path: Path, capsys):
    for told in ("to the new campaign New", "to New"):
        call_command(
            "import_solutions", str(path), format="processbench", campaign="New", create_campaign=True
        )
        assert capsys.readouterr().out.strip().endswith(told)
    assert Campaign.objects.get().tasks.count() == 1
