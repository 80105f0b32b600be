"""A frozen row says which line of which import it was, so that it can be joined with the file it came from."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command

from labelsite.campaigns.models import Campaign
from labelsite.snapshots.services import folder_of, freeze
from ml.snapshot import read_snapshot
from tests.annotations.test_import import processbench_line

pytestmark = pytest.mark.django_db


def test_rows_have_the_ids_of_the_imported_file_and_its_format(tmp_path: Path):
    path = tmp_path / "some.jsonl"
    path.write_text("".join(processbench_line(index) + "\n" for index in range(2)))
    call_command("import_solutions", str(path), format="processbench", campaign="C", create_campaign=True)
    campaign = Campaign.objects.get(name="C")
    first, again = freeze(campaign, "human"), freeze(campaign, "human")
    rows = list(read_snapshot(folder_of(first)))
    assert [(row.external_id, row.source) for row in rows] == [
        ("gsm8k-0", "processbench"), ("gsm8k-1", "processbench")
    ]  # fmt: skip
    assert first.sha256 == again.sha256
