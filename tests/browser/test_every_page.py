"""Every page that the site has, whatever it is: no accessibility fault, no sideways scrolling, light and dark.

The pages come from the url configuration itself, so that none is forgotten: a route that nobody gave a sample
fails, and so does a page that answers with anything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from playwright.sync_api import Browser

from labelsite.accounts.models import User
from labelsite.annotations import uploads
from labelsite.autolabels.models import DisputedAnswer, SearchTree, UnansweredProblem
from labelsite.campaigns.imports import as_key
from labelsite.campaigns.services import set_kind
from labelsite.jobs.models import JobState
from labelsite.snapshots.services import freeze
from labelsite.training.models import Checkpoint
from labelsite.training.services import start_training
from tests.autolabels.files import small_tree
from tests.browser.looks import look, window
from tests.browser.scenes import blind_campaign
from tests.factories import make_annotation, make_estimate_run, make_job, make_problem, make_token, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_folder")]
# An admin's pages hold all that a reviewer's do; an annotator's are looked at in `test_annotate_looks`.
LOOKS = [("admin", 1280, "light", "en"), ("admin", 390, "dark", "ko")]
# Wider than a phone, each as one word or kept on one line.
POLICY = "openai:http://llm.example:8000/v1#Qwen/Qwen2.5-Math-7B-Instruct"
LONG = "second round with adaptive overlap and gold"
WORD = "of_one_word_that_nothing_breaks_and_that_a_phone_cannot_hold"
# What a page shows only when it is asked.
QUESTIONS = {"campaigns:sections": "?generator=&count=1#found"}
# Of each app, what answers a reader's GET with no page: it takes a POST, leads on, or gives a file or a part of a page.
NO_PAGE = {
    "accounts": "create_token keys language login logout new_password password revoke_token theme update_person",
    "annotations": "draft heartbeat import_discard import_start next one_more reopen revise submit task_kind undo",
    "autolabels": "cancel decide_answer export_run export_tree node open_trees resume",
    "campaigns": "archive arrangement choose_section delete member_sections member_state mine pause pick_section"
    " remove_task rename_section reorder",
    "jobs": "cancel retry",
    "snapshots": "annotations manifest part prm800k stepwise",
    "training": "evaluate score",
}
CARD = {
    "objective": "classifier",
    "config": {"steps": 100, "learning_rate": 0.001},
    "metrics": {"train_loss": 0.5, "validation": {"f1": 0.7, "exact": 0.6, "count": 10}},
    "label_rule": {"labels": "human"},
    "counts": {"train_rows": 80},
    "seconds": 50,
}


@dataclass(frozen=True)
class Samples:
    """For each app's routes, what stands for their parameters."""

    of_app: dict[str, dict[str, Any]]
    of_route: dict[str, dict[str, Any]]

    def for_route(self, name: str) -> dict[str, Any]:
        return self.of_app.get(name.split(":")[0], {}) | self.of_route.get(name, {})


def filled_site(reader: User) -> Samples:
    """One of everything, with `reader` a member of the campaign who has judged a task of it."""
    annotator = make_user(username=f"person_{WORD}")
    campaign = blind_campaign(
        annotator, name=f"Shop problems, {LONG}, {WORD}", ordering="convincing_wrong", shows_agreement=True
    )
    campaign.memberships.create(user=reader, sections=["algebra", f"geometry_{WORD}"[:60]])
    first, second, third = campaign.tasks.order_by("id")
    campaign.tasks.update(created_at=third.created_at)
    campaign.tasks.filter(pk=third.pk).update(section="algebra")
    campaign.tasks.filter(pk=second.pk).update(section=f"geometry_{WORD}"[:60], overlap=3, remaining=3)
    make_annotation(first, annotator, trajectory=(1, 1, 0, 1, -1))
    own = make_annotation(second, reader, trajectory=(1, 1, -1))
    make_annotation(second, annotator, trajectory=(1, 1, 1, 1, -1))
    set_kind(first, "gold", [3, 4])
    snapshot = freeze(campaign, "human", name=f"Everything so far, {WORD}")
    run = start_training(
        snapshot,
        "human",
        name=f"A small model, {WORD}",
        configuration={"classes": 3, "neutral": "drop", "steps": 100},
    )
    checkpoint = Checkpoint.objects.create(run=run, folder="1" * 64, sha256="1" * 64, card=CARD)
    scores = campaign.score_run
    scores.job = make_job(
        verb="score", state=JobState.DONE, spec={"campaign": campaign.pk}, result={"before": [], "after": []}
    )
    scores.save()
    checkpoint.score_runs.add(scores)
    problem = make_problem("2 + 2 =")
    tree = SearchTree.objects.create(
        run=make_estimate_run(method="rstar", policy=POLICY),
        problem=problem,
        node_count=5,
        data=small_tree(problem.pk),
    )
    disputed = DisputedAnswer.objects.create(
        run_id=campaign.estimate_run_id,
        problem=first.solution.problem,
        reference="1/2",
        answer="2/4",
        is_correct=True,
    )
    UnansweredProblem.objects.create(
        run_id=campaign.estimate_run_id, problem=problem, reason="problem '7' is too long"
    )
    campaign.estimate_run.cost = {"decided_answers": 2, "unanswered": 2}
    campaign.estimate_run.save()
    make_token(reader, "export_" * 10)
    file = uploads.keep(f"lines_{WORD}.jsonl", [b'{"problem": "What is $2^2$?", "steps": ["It is 4."]}\n'])
    job = make_job(
        state=JobState.FAILED,
        error=f"no space left on device: /var/lib/misstep/{'x' * 90}",
        result={"lines": 3},
    )
    return Samples(
        {
            "campaigns": {"pk": campaign.pk, "user_id": annotator.pk},
            "comparison": {
                "campaign_id": campaign.pk,
                "task_id": second.pk,
                "run_id": campaign.estimate_run_id,
            },
            "jobs": {"pk": job.pk},
            "autolabels": {"pk": tree.pk, "number": 1},
            "snapshots": {"pk": snapshot.pk, "number": 0},
            "training": {"pk": checkpoint.pk},
            "annotations": {
                "campaign_id": campaign.pk,
                "pk": own.pk,
                "user_id": annotator.pk,
                "assignment_id": own.task.assignments.get(annotator=reader).pk,
                "identity": file.id,
            },
            "accounts": {"pk": annotator.pk},
        },
        {
            "annotations:one_more": {"task_id": first.pk},
            "campaigns:remove_task": {"task_id": first.pk},
            "campaigns:undo_import": {"moment": as_key(third.created_at)},
            "annotations:task_kind": {"pk": campaign.pk, "task_id": first.pk},
            "autolabels:run": {"pk": campaign.estimate_run_id},
            "autolabels:decide_answer": {"answer": disputed.pk},
            "training:run": {"pk": run.pk},
            "training:scores": {"pk": scores.pk},
        },
    )


def routes(patterns: list[URLPattern | URLResolver], app: str = "") -> Iterator[tuple[str, set[str]]]:
    """Name and parameters of every route that is not the API's."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, pattern.app_name or app)
        elif app != "api" or pattern.name == "documentation":
            yield f"{app}:{pattern.name}", set(pattern.pattern.converters)


def pages_for(reader: User, samples: Samples) -> dict[str, str]:
    """The address of every route that answers `reader` with a whole page, which are all but NO_PAGE."""
    client = Client()
    client.force_login(reader)
    found: dict[str, str] = {}
    others: dict[str, set[str]] = {}
    for name, parameters in routes(get_resolver().url_patterns):
        known = samples.for_route(name)
        assert parameters <= set(known), f"no sample for {name}: {parameters - set(known)}"
        address = reverse(name, kwargs={key: known[key] for key in parameters})
        answer = client.get(address)
        policy = answer.headers.get("Content-Security-Policy", "")
        assert "default-src 'none'" in policy and "unsafe" not in policy, (
            f"{name}: {policy!r}, expected a policy that allows nothing unsafe"
        )
        if answer.status_code == 200 and not answer.streaming and b"<html" in answer.content[:300]:
            found[name] = address + QUESTIONS.get(name, "")
        else:
            others.setdefault(name.split(":")[0], set()).add(name.split(":")[1])
    assert others == {app: set(names.split()) for app, names in NO_PAGE.items()}
    return found


@pytest.mark.parametrize(("role", "width", "theme", "language"), LOOKS)
def test_every_page_can_be_read_by_everybody(
    chromium_browser: Browser, live_server: Any, role: str, width: int, theme: Any, language: str
) -> None:
    reader = make_user(role)
    pages = pages_for(reader, filled_site(reader))
    watched = window(chromium_browser, live_server.url, width, theme, language, role)
    watched.log_in(reader.username)
    for name, address in pages.items():
        watched.go(address)
        look(watched, name.replace(":", "-"))
    watched.page.context.close()
