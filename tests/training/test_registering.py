"""A checkpoint that was trained outside the site comes back to it, and is then like any other."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils.html import strip_tags

from labelsite.jobs.models import Job, JobState
from labelsite.jobs.tasks import run_here
from labelsite.snapshots.services import export, freeze
from labelsite.training import checkpoints, services
from labelsite.training.lineage import lineage_of
from labelsite.training.models import Checkpoint, TrainingRun
from labelsite.training.registering import register_checkpoint
from ml.commands import average, train
from ml.errors import MisstepError
from tests.factories import log_in, make_user
from tests.training.pocket import pocket_campaign
from tests.training.test_checkpoints import write_checkpoint
from tests.training.test_pages import make_snapshot

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("warm_children")]


def run(job: Job) -> None:
    run_here(job)
    job.refresh_from_db()
    assert job.state == JobState.DONE, job.error


@pytest.mark.django_db(transaction=True)
def test_a_checkpoint_of_the_command_line_is_promoted_scored_measured_and_compared(tmp_path, client, capsys):
    annotator = make_user()
    campaign = pocket_campaign(count=24, annotator=annotator, labelled=18)
    snapshot = freeze(campaign, "human")
    export(snapshot, tmp_path / "frozen")
    # An option that the site's own trainings do not have.
    options = ["--base", "small", "--steps", "2", "--batch-size", "8", "--weight-decay", "0.1"]
    folders = ["--snapshot", str(tmp_path / "frozen"), "--out", str(tmp_path / "trained")]
    assert train.main([*folders, *options]) == 0

    call_command("register_checkpoint", str(tmp_path / "trained"), "--name", "from the cluster")
    checkpoint = Checkpoint.objects.get()
    assert f"checkpoint {checkpoint.pk}: from the cluster" in capsys.readouterr().out
    lineage = lineage_of(checkpoint)
    assert (lineage.snapshots, lineage.campaigns) == ([snapshot], [campaign])
    assert lineage.people == [(annotator, 18)]

    scores = services.score_campaign(checkpoint, campaign)
    run(scores.job)
    campaign.refresh_from_db()
    assert campaign.score_run_id == scores.pk
    evaluation = services.start_evaluation(checkpoint, campaign)
    run(evaluation.job)
    evaluation.refresh_from_db()
    assert evaluation.figures["count"] == 18

    log_in(client, "admin")
    beside = services.start_training(snapshot, "human")
    pages = [
        reverse("training:list"),
        reverse("training:run", args=[checkpoint.run_id]),
        reverse("training:checkpoint", args=[checkpoint.pk]),
        reverse("training:compare") + f"?run={checkpoint.run_id}&run={beside.pk}",
        reverse("jobs:detail", args=[checkpoint.run.job_id]),
    ]
    for page in pages:
        assert "from the cluster" in client.get(page).content.decode(), page


def test_what_its_owner_does_to_the_folder_later_does_not_reach_the_copy(tmp_path):
    make_snapshot()
    folder = write_checkpoint(tmp_path / "mine", objective="classifier")
    (folder / "notes.txt").write_text("not of the checkpoint")
    checkpoint = register_checkpoint(folder)
    with (folder / "model.safetensors").open("r+b") as file:
        file.write(b"other")
    kept = checkpoints.checkpoint_path(checkpoint)
    assert checkpoints.verified(kept)[0] == checkpoint.sha256
    assert sorted(path.name for path in kept.iterdir()) == ["card.json", "manifest.json", "model.safetensors"]


def test_registering_again_makes_nothing_new(tmp_path):
    make_snapshot()
    folder = write_checkpoint(tmp_path / "mine", objective="classifier")
    assert register_checkpoint(folder) == register_checkpoint(folder, "another name")
    assert TrainingRun.objects.count() == Job.objects.count() == 1


def test_of_snapshots_with_the_same_content_it_belongs_to_the_one_that_its_card_names(tmp_path):
    make_snapshot()
    named = make_snapshot()
    folder = write_checkpoint(tmp_path / "mine", snapshot_name=named.name, objective="classifier")
    assert register_checkpoint(folder).run.snapshot == named


@pytest.mark.parametrize(
    ("card", "complaint"),
    [
        ({"snapshot": "9" * 64}, "expected one that was frozen on this site"),
        ({"format": "something"}, "expected 'misstep-checkpoint'"),
        ({"objective": "poetry"}, "objective 'poetry'"),
    ],
)
def test_what_cannot_be_traced_back_is_refused_in_one_line_and_leaves_nothing(tmp_path, card, complaint):
    make_snapshot()
    folder = write_checkpoint(tmp_path / "mine", **{"objective": "classifier", **card})
    with pytest.raises(CommandError, match=complaint):
        call_command("register_checkpoint", str(folder))
    assert not Job.objects.exists() and not checkpoints.checkpoints_folder().exists()


def test_a_folder_that_is_none_or_torn_or_reaches_elsewhere_is_refused(tmp_path):
    make_snapshot()
    with pytest.raises(MisstepError, match="is missing"):
        register_checkpoint(tmp_path / "nothing")
    folder = write_checkpoint(tmp_path / "torn", objective="classifier")
    (folder / "model.safetensors").unlink()
    with pytest.raises(MisstepError, match=r"model\.safetensors"):
        register_checkpoint(folder)
    (tmp_path / "secret").write_text("of somebody else")
    (folder / "model.safetensors").symlink_to(tmp_path / "secret")
    with pytest.raises(MisstepError, match="expected files of the folder itself"):
        register_checkpoint(folder)
    assert not Checkpoint.objects.exists()
    assert not list(checkpoints.checkpoints_folder().iterdir())


def test_a_long_name_is_cut_to_the_room_that_the_rows_have(tmp_path):
    make_snapshot()
    folder = write_checkpoint(tmp_path / "mine", objective="classifier")
    checkpoint = register_checkpoint(folder, name="n" * 300)
    assert checkpoint.run.name == "n" * 120 and checkpoint.run.job.title == "n" * 200


def test_a_checkpoint_of_several_snapshots_leads_back_to_those_of_this_site_and_names_the_others(
    tmp_path, client
):
    log_in(client, "reviewer")
    first, second = make_snapshot(), make_snapshot()
    second.sha256 = "5" * 64
    second.save()
    parts = [(first.sha256, first.name), ("9" * 64, "public"), (second.sha256, second.name)]
    folder = write_checkpoint(tmp_path / "mine", "7" * 64, parts=parts, objective="classifier")
    checkpoint = register_checkpoint(folder)
    page = client.get(reverse("training:checkpoint", args=[checkpoint.pk]))
    assert page.context["lineage"].snapshots == [first, second]
    assert page.context["lineage"].campaigns == [first.campaign, second.campaign]
    assert "public, not of this site" in page.content.decode()
    run_page = reverse("training:run", args=[checkpoint.run_id])
    assert run_page in client.get(reverse("snapshots:detail", args=[second.pk])).content.decode()


def test_an_average_leads_back_to_all_of_its_snapshots_and_says_what_it_is_of(tmp_path, client, capsys):
    snapshot = freeze(pocket_campaign(count=24, annotator=make_user(), labelled=18), "human")
    export(snapshot, tmp_path / "frozen")
    options = ["--steps", "1", "--batch-size", "4", "--snapshot", str(tmp_path / "frozen")]
    assert train.main([*options, "--base", "small", "--out", str(tmp_path / "one")]) == 0
    assert train.main([*options, "--base", str(tmp_path / "one"), "--out", str(tmp_path / "two")]) == 0
    parts = ["--checkpoints", str(tmp_path / "one"), str(tmp_path / "two"), "--weights", "1", "3"]
    assert average.main([*parts, "--out", str(tmp_path / "mean")]) == 0
    checkpoint = register_checkpoint(tmp_path / "mean", name="the mean")
    assert lineage_of(checkpoint).snapshots == [snapshot]

    log_in(client, "reviewer")
    beside = register_checkpoint(tmp_path / "one")
    page = client.get(reverse("training:checkpoint", args=[checkpoint.pk])).content.decode()
    said = " ".join(strip_tags(page).split())
    assert "Average ofone 25.0 % · two 75.0 %" in said and "Last loss" not in said
    compared = reverse("training:compare") + f"?run={checkpoint.run_id}&run={beside.run_id}"
    assert "the mean" in client.get(compared).content.decode()
