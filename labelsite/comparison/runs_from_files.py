"""Takes in what `python -m ml autolabel` found elsewhere, as a job of this site would have left it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from django.db import transaction

from labelsite.autolabels.importers import read_object
from labelsite.autolabels.loading import load_estimates
from labelsite.autolabels.models import EstimateRun
from labelsite.autolabels.parameters import method_in_words
from labelsite.campaigns.matching import match, with_rows
from labelsite.campaigns.models import Campaign
from labelsite.comparison.services import use_run
from ml.errors import BadRecord, MisstepError
from ml.result_lines import read_estimates

ESTIMATES, RUN = "estimates.jsonl", "run.json"
# What else names solutions, where there is any.
BESIDE = ("disputed_answers.jsonl", "unanswered.jsonl")
LONGEST_NAME, LONGEST_METHOD, LONGEST_POLICY = 120, 40, 200


def load_folder(
    campaign: Campaign, folder: Path, solutions: Path, format: str, name: str = ""
) -> tuple[EstimateRun, dict[str, Any]]:
    """Load the estimates in `folder`, made of the file `solutions`; the run then stands in the campaign.

    All of it or nothing. Raises MisstepError, with file and line where a line is wrong.
    """
    if (folder / "trees.jsonl").exists():
        raise MisstepError(f"{folder} has trees of fresh problems, expected estimates of given solutions")
    described = read_object(folder / "run.json")
    # Every line is checked under its own file's name before anything is written.
    for _ in read_estimates(folder / ESTIMATES):
        pass
    matches = match(campaign, solutions, format)
    method = str(described.get("method", ""))[:LONGEST_METHOD]
    with tempfile.TemporaryDirectory() as beside, transaction.atomic():
        ready = Path(beside)
        if not with_rows(folder / ESTIMATES, ready / ESTIMATES, matches, steps_in="steps"):
            raise BadRecord(str(folder / ESTIMATES), 1, "no line", "a line for each solution")
        for file in BESIDE:
            if (folder / file).exists():
                with_rows(folder / file, ready / file, matches)
        shutil.copyfile(folder / RUN, ready / RUN)
        run = EstimateRun.objects.create(
            name=(name or f"{campaign.name} · {method_in_words(method)}")[:LONGEST_NAME],
            method=method,
            policy=str(described.get("policy", ""))[:LONGEST_POLICY],
            seed=int(described.get("seed") or 0),
        )
        counts = load_estimates(run, ready)
        run.refresh_from_db()
        use_run(campaign, run)
    return run, counts
