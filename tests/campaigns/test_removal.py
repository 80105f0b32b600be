"""What came into a campaign by mistake is taken out again, and nobody's work with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from labelsite.accounts.models import Change
from labelsite.autolabels.models import SolutionEstimate, StepScore
from labelsite.campaigns import removal
from labelsite.campaigns.imports import Import, brought_in, import_at, imports_of
from labelsite.campaigns.models import Assignment, Campaign, Ordering, Task
from labelsite.campaigns.removal import Reason, TaskKept
from labelsite.campaigns.services import set_kind
from labelsite.campaigns.tasks import run_removal
from labelsite.comparison.models import Adjudication
from labelsite.jobs.models import ARRANGE, Job, JobState
from labelsite.problems.models import Solution
from labelsite.snapshots.services import folder_of, freeze
from labelsite.snapshots.verifying import damage_in
from tests.campaigns.imports import brought_at, import_solutions
from tests.campaigns.leases import claim_next
from tests.factories import (
    make_annotation,
    make_campaign,
    make_estimates,
    make_machine,
    make_scores,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db

MOMENT = datetime(2026, 3, 1, 9, 30, 15, 123456, tzinfo=UTC)


@pytest.fixture
def campaign() -> Campaign:
    return make_campaign("C", members=[make_user(username="ann")])


def the_import(campaign: Campaign) -> Import:
    found = import_at(campaign, "2026-03-01T09:30:15.123456Z")
    assert found is not None
    return found


def claimed(campaign: Campaign, state: str = "leased", **fields: Any) -> Task:
    """The task that a person was given, with their lease as it is said to be now."""
    task: Task = claim_next(campaign, campaign.memberships.get().user).task
    task.assignments.update(state=state, **fields)
    return task


def labelled(campaign: Campaign) -> None:
    make_annotation(campaign.tasks.first(), make_user())


def corrected(campaign: Campaign) -> None:
    """Nothing stands of what the person said; it is kept all the same."""
    make_annotation(campaign.tasks.first(), make_user(), is_live=False)


def labelled_by_a_file(campaign: Campaign) -> None:
    make_annotation(campaign.tasks.first(), make_machine(), origin="import")


def decided(campaign: Campaign) -> None:
    Adjudication.objects.create(task=campaign.tasks.first(), reviewer=make_user("reviewer"), positions=[-1])


def begun(campaign: Campaign) -> None:
    claimed(campaign, state="lapsed", draft={"ratings": {"0": 1}})


def in_hand(campaign: Campaign) -> None:
    claimed(campaign)


def gold(campaign: Campaign) -> None:
    set_kind(campaign.tasks.first(), "gold", [1])


def screening(campaign: Campaign) -> None:
    set_kind(campaign.tasks.first(), "screening", None)


def known(campaign: Campaign) -> None:
    set_kind(campaign.tasks.first(), "work", [1])


KEPT = [
    (labelled, Reason.LABELS),
    (corrected, Reason.LABELS),
    (labelled_by_a_file, Reason.IMPORTED_LABELS),
    (decided, Reason.DECISIONS),
    (begun, Reason.DRAFTS),
    (in_hand, Reason.IN_HAND),
    (gold, Reason.TESTS_PEOPLE),
    (screening, Reason.TESTS_PEOPLE),
    (known, Reason.TESTS_PEOPLE),
]


@pytest.mark.parametrize(("hold", "reason"), KEPT)
def test_what_somebody_has_worked_on_stays_and_the_rest_goes(campaign: Campaign, hold: Callable, reason):
    first, *_rest = brought_at(campaign, 3, MOMENT)
    hold(campaign)
    found = removal.look_at(brought_in(campaign, MOMENT))
    assert (found.free, found.kept) == (2, {reason: 1})
    assert removal.undo(campaign, the_import(campaign)) == 2
    assert campaign.tasks.get() == first
    assert removal.undo(campaign, the_import(campaign)) == 0


@pytest.mark.parametrize(("hold", "reason"), KEPT)
def test_a_single_solution_that_somebody_has_worked_on_stays_and_the_refusal_says_why(
    campaign: Campaign, hold: Callable, reason
):
    (task,) = brought_at(campaign, 1, MOMENT)
    hold(campaign)
    with pytest.raises(TaskKept, match=str(reason.label)) as refusal:
        removal.take_out(task)
    assert refusal.value.reason == reason and campaign.tasks.get() == task
    assert not Change.objects.filter(field="is_deleted").exists()


def test_of_several_reasons_the_weightiest_is_told(campaign: Campaign):
    (task,) = brought_at(campaign, 1, MOMENT)
    for hold in (gold, labelled_by_a_file, labelled):
        hold(campaign)
    assert removal.reason_to_stay(task) == Reason.LABELS


@pytest.mark.parametrize("state", ["lapsed", "leased"])
def test_whoever_only_looked_and_let_their_time_run_out_keeps_nothing_there(campaign: Campaign, state: str):
    brought_at(campaign, 2, MOMENT)
    claimed(campaign, state=state, leased_until=timezone.now() - timedelta(seconds=1), draft={"elapsed": 4})
    assert removal.undo(campaign, the_import(campaign)) == 2
    assert not Task.objects.exists() and not Assignment.objects.exists()


def test_other_imports_and_other_campaigns_keep_theirs_and_so_do_the_machines(campaign: Campaign):
    first, second = brought_at(campaign, 2, MOMENT)
    later = brought_at(campaign, 1, MOMENT + timedelta(microseconds=1))
    elsewhere = make_task(make_campaign(), first.solution)
    make_estimates(second.solution, [0.5, 0.25])
    make_scores(second.solution, [0.5, 0.25])
    removal.undo(campaign, the_import(campaign))
    assert list(Task.objects.order_by("pk")) == [*later, elsewhere]
    assert Solution.objects.count() == 3
    assert SolutionEstimate.objects.count() == 1 and StepScore.objects.count() == 2


def test_undo_is_in_the_record_of_changes_and_nothing_is_where_nothing_went(campaign: Campaign):
    admin = make_user("admin")
    brought_at(campaign, 3, MOMENT)
    labelled(campaign)
    for _ in range(2):
        removal.undo(campaign, the_import(campaign), admin)
    told = Change.objects.values_list("by", "kind", "name", "field", "old", "new")
    assert list(told) == [(admin.pk, "import", "2026-03-01 09:30:15 UTC · C", "tasks", 3, 1)]


def test_a_single_solution_goes_and_the_record_says_who_took_it_out(campaign: Campaign):
    admin, (task, other) = make_user("admin"), brought_at(campaign, 2, MOMENT)
    for _ in range(2):
        removal.take_out(Task.objects.get(pk=other.pk), admin)
        other = task
    removal.take_out(task, admin)
    told = Change.objects.order_by("pk").values_list("by__username", "kind", "field", "new")
    assert list(told) == [(admin.username, "task", "is_deleted", True)] * 2
    assert not campaign.tasks.exists()


def test_it_takes_as_many_statements_for_many_as_for_few(campaign: Campaign):
    counts = []
    for number, size in enumerate((2, 40)):
        moment = MOMENT + timedelta(days=number)
        brought_at(campaign, size, moment)
        with CaptureQueriesContext(connection) as queries:
            removal.undo(campaign, Import(moment, size, ""))
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 7 and not campaign.tasks.exists()


def test_a_queue_that_mixes_right_and_wrong_answers_is_mixed_anew(campaign: Campaign):
    Campaign.objects.update(ordering=Ordering.CONVINCING_WRONG)
    campaign.refresh_from_db()
    brought_at(campaign, 2, MOMENT)
    removal.undo(campaign, the_import(campaign))
    assert Job.objects.get().verb == ARRANGE


@pytest.mark.usefixtures("own_folder")
def test_a_frozen_snapshot_does_not_change(campaign: Campaign):
    tasks = brought_at(campaign, 3, MOMENT)
    make_annotation(tasks[0], campaign.memberships.get().user, [1, 1])
    snapshot = freeze(campaign, "human")

    def frozen() -> dict[str, bytes]:
        files = (path for path in folder_of(snapshot).rglob("*") if path.is_file())
        return {path.name: path.read_bytes() for path in files}

    before = frozen()
    removal.undo(campaign, the_import(campaign))
    assert campaign.tasks.count() == 1 and frozen() == before
    assert list(damage_in(folder_of(snapshot), snapshot.manifest)) == []


@pytest.mark.django_db(transaction=True)
def test_each_import_is_known_and_one_that_was_undone_can_be_imported_again(tmp_path: Path):
    campaign = import_solutions(tmp_path, 3)
    import_solutions(tmp_path, 4, first=2)
    newest, oldest = imports_of(campaign)
    assert (newest.tasks, oldest.tasks) == (3, 3)
    removal.undo(campaign, oldest)
    assert imports_of(campaign) == [newest]
    import_solutions(tmp_path, 3)
    assert campaign.tasks.count() == 6 and Solution.objects.count() == 6


@pytest.fixture
def _two_tasks_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "TASKS_AT_ONCE", 1)


@pytest.mark.usefixtures("_two_tasks_are_many")
def test_many_are_taken_out_by_a_job_which_keeps_what_was_labelled_meanwhile(campaign: Campaign):
    admin = make_user("admin")
    brought_at(campaign, 3, MOMENT)
    job = removal.undo(campaign, the_import(campaign), admin)
    assert isinstance(job, Job) and campaign.tasks.count() == 3
    with translation.override("ko"):
        assert job.said == "C에 가져온 것 되돌리기"
    labelled(campaign)
    run_removal(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == (JobState.DONE, "")
    assert job.result == {"campaign_id": campaign.pk, "tasks_taken_out": 2, "tasks_kept": 1}
    assert Change.objects.get().by == admin


@pytest.mark.usefixtures("_two_tasks_are_many")
def test_the_job_of_a_campaign_that_is_gone_says_so_and_one_that_comes_twice_takes_nothing(
    campaign: Campaign,
):
    brought_at(campaign, 2, MOMENT)
    jobs = [removal.undo(campaign, the_import(campaign)) for _ in range(3)]
    for job in jobs[:2]:
        run_removal(job.pk)
    campaign.delete()
    run_removal(jobs[2].pk)
    told = [(job.state, (job.result or {}).get("tasks_taken_out")) for job in Job.objects.order_by("pk")]
    assert told == [(JobState.DONE, 2), (JobState.DONE, 0), (JobState.FAILED, None)]
    assert "no longer there" in Job.objects.order_by("pk").last().error
