"""What machines say stays hidden until the person's own judgement is in, at every door that an annotator has."""

from __future__ import annotations

import json
import re
from itertools import count
from uuid import uuid4

import pytest
from drf_spectacular.generators import SchemaGenerator

from labelsite.accounts.models import User
from labelsite.annotations import services
from labelsite.annotations.models import Annotation
from labelsite.autolabels.models import EstimateRun, StepEstimate
from labelsite.campaigns import queue
from labelsite.campaigns.imports import as_key
from labelsite.campaigns.models import Campaign, Exposure, Protocol, Task
from labelsite.snapshots.services import freeze
from labelsite.training.services import start_training
from tests.annotations.submissions import judgement
from tests.browser.scenes import blind_campaign
from tests.campaigns.leases import claim_next
from tests.factories import make_annotation, make_member, make_token, make_user

pytestmark = pytest.mark.django_db
# Values that stand nowhere else: a Q-value, a score, the words of the order, the gold and its source, and what a
# colleague said, noted and wrote.
SECRETS = [
    "0.9375",
    "0.123456",
    "yet the PRM",
    "convincing_wrong score",
    "gold_source",
    "is_correct",
    "q_value",
    "screening",
    '"gold"',
    '"kind"',
    "A STEP OF A COLLEAGUE",
    "A NOTE OF A COLLEAGUE",
]
# All that a task consists of before the judgement is in.
SHOWN = {
    *(
        "assignment",
        "token",
        "draft",
        "version",
        "assisted",
        "attempt",
        "why",
        "problem",
        "answer",
        "reference",
    ),
    *("options", "protocol", "asks_reason", "guideline_version"),
}


@pytest.fixture
def campaign() -> Campaign:
    campaign = blind_campaign(make_user(username="annotator"), ordering="convincing_wrong", overlap=2)
    Task.objects.update(priority_reason="convincing_wrong score=0.93")
    return campaign


@pytest.fixture
def client(client, campaign):
    client.force_login(campaign.memberships.get().user)
    return client


def holds_a_secret(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def post(client, url: str, **body) -> str:
    response = client.post(url, json.dumps(body), content_type="application/json")
    assert response.status_code < 500
    return response.content.decode()


def read(client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    return response.content.decode()


@pytest.fixture
def colleague(campaign) -> User:
    """Somebody who found no option right in every solution, went on alone and said why."""
    person = make_user(username="colleague")
    make_member(campaign, person)
    Campaign.objects.update(protocol=Protocol.EVERY_OPTION)
    campaign.refresh_from_db()
    for _ in range(campaign.tasks.count()):
        lease = claim_next(campaign, person)
        said = judgement(
            lease.task, 1, 1, 1, 1, -1, alternatives=(-1, -1, -1), written=["A STEP OF A COLLEAGUE"]
        )
        said["ratings"][4]["note"] = "A NOTE OF A COLLEAGUE"
        services.submit(lease, str(lease.token), uuid4(), said | {"finish_reason": "solution"})
    return person


def test_no_page_and_no_answer_before_the_submission_holds_a_secret(client, campaign, colleague) -> None:
    user = campaign.memberships.get(user__username="annotator").user
    page = read(client, f"/annotate/{campaign.pk}/")
    lease = claim_next(campaign, user)
    assert lease.task.annotations.get().annotator == colleague
    assert lease.task.solution.step_rows.filter(source="human", text="A STEP OF A COLLEAGUE").exists()
    token = str(lease.token)
    seen = [
        page,
        post(client, f"/annotate/{campaign.pk}/next/", besides=lease.pk),
        post(client, f"/annotate/task/{lease.pk}/draft/", token=token, version=0, draft={}),
        post(client, f"/annotate/task/{lease.pk}/heartbeat/", token=token),
        post(client, f"/annotate/task/{lease.pk}/submit/", token=token, key=str(uuid4()), judgement={}),
        read(client, f"/campaigns/{campaign.pk}/"),
        read(client, "/campaigns/"),
        read(client, "/campaigns/mine/"),
        read(client, "/my-day/"),
        read(client, "/"),
    ]
    assert [holds_a_secret(text) for text in seen] == [[]] * len(seen)
    assert '"machine"' not in page


def test_a_task_before_the_submission_consists_of_what_is_named_here_and_no_more(
    client, campaign, colleague
) -> None:
    payload = client.get(f"/annotate/{campaign.pk}/").context["payload"]
    assert set(payload) == SHOWN
    assert {frozenset(option) for option in payload["options"]} == {
        frozenset({"id", "position", "text", "chosen", "output", "verdict"})
    }
    assert [option["position"] for option in payload["options"]] == [0, 1, 2, 3, 4, 4, 4, 4, 5]


def test_an_annotators_token_reads_nothing_of_it_either(client, campaign, colleague) -> None:
    user = campaign.memberships.get(user__username="annotator").user
    client.logout()
    headers = {"Authorization": f"Token {make_token(user)}"}
    pages = ["", "queue/", "estimates/", "scores/", "annotations/"]
    answers = [client.get(f"/api/v1/campaigns/{campaign.pk}/{page}", headers=headers) for page in pages]
    answers += [
        client.post(f"/api/v1/campaigns/{campaign.pk}/next/", headers=headers),
        client.get(f"/api/v1/estimates/{campaign.estimate_run_id}/", headers=headers),
        client.get(f"/campaigns/{campaign.pk}/comparison/", headers=headers),
    ]
    for answer in answers:
        content = b"".join(answer) if answer.streaming else answer.content
        assert not holds_a_secret(content.decode()), (answer.request["PATH_INFO"], content[:300])
    assert answers[5].json()["options"]


def test_an_assisted_campaign_shows_them_from_the_start(client, campaign) -> None:
    Campaign.objects.update(exposure=Exposure.BEFORE)
    payload = client.get(f"/annotate/{campaign.pk}/").context["payload"]
    assert payload["assisted"] and payload["why"].startswith("wrong answer")
    estimate = {"q_value": 0.9375, "bar": 0.9375, "visits": 16, "correct": 15}
    assert payload["options"][0]["machine"] == {**estimate, "score": 0.9}


def submitted(campaign: Campaign) -> Annotation:
    lease = claim_next(campaign, campaign.memberships.get().user)
    said = {"finish_reason": "give_up", "reason": "for the test"}
    return services.submit(lease, str(lease.token), uuid4(), said)


def test_the_second_look_is_covered_until_it_is_asked_for(client, campaign) -> None:
    annotation = submitted(campaign)
    url = f"/annotate/annotation/{annotation.pk}/second-look/"
    assert not holds_a_secret(client.get(url).content.decode())
    assert not holds_a_secret(client.get(f"/annotate/annotation/{annotation.pk}/").content.decode())
    annotation.refresh_from_db()
    assert annotation.changed_after_reveal is None
    assert "Q 0.94" in client.post(url).content.decode()
    annotation.refresh_from_db()
    assert annotation.changed_after_reveal is False
    assert client.get(f"/annotate/annotation/{annotation.pk}/").context["payload"]["assisted"]


def test_a_q_is_drawn_as_its_share_of_the_method_s_range_which_begins_at_minus_one_for_rstar(
    client, campaign
) -> None:
    """As the comparison draws it; of rStar a Q of 0 says neither right nor wrong, and a tree's V may be any share."""
    annotation = submitted(campaign)
    EstimateRun.objects.update(method="rstar")
    StepEstimate.objects.filter(step__position=0).update(q_value=0.0, soft=0.5)
    StepEstimate.objects.filter(step__position=1).update(q_value=-1.0, soft=0.0)
    page = client.post(f"/annotate/annotation/{annotation.pk}/second-look/").content.decode()
    assert re.findall(r'<span>Q ([^<]+)<.*?value="([^"]+)" aria-hidden', page)[:3] == [
        ("0.00", "0.5000"), ("-1.00", "0.0000"), ("0.81", "0.9062"),
    ]  # fmt: skip
    machine = client.get(f"/annotate/annotation/{annotation.pk}/").context["payload"]["options"][0]["machine"]
    assert (machine["q_value"], machine["bar"]) == (0.0, 0.5)
    EstimateRun.objects.update(method="rest-mcts")
    machine = client.get(f"/annotate/annotation/{annotation.pk}/").context["payload"]["options"][0]["machine"]
    assert (machine["q_value"], machine["bar"]) == (0.0, 0.0)


def test_one_visit_is_one_visit(client, campaign) -> None:
    annotation = submitted(campaign)
    StepEstimate.objects.filter(step__position=0).update(visits=1, correct=0)
    page = client.post(f"/annotate/annotation/{annotation.pk}/second-look/").content.decode()
    assert re.findall(r"\d+ visits?\b", page)[:2] == ["1 visit", "16 visits"]


@pytest.mark.parametrize(("ordering", "why"), [("import_order", ""), ("random", "random order")])
def test_the_reason_that_an_earlier_ordering_left_behind_is_not_told(client, campaign, ordering, why) -> None:
    """Done tasks keep theirs when the campaign is ordered anew, and come again when more people are to look."""
    Campaign.objects.update(ordering=ordering)
    annotation = submitted(campaign)
    for address in (f"/annotate/annotation/{annotation.pk}/", f"/annotate/{campaign.pk}/"):
        assert client.get(address).context["payload"]["why"] == why


def test_a_campaign_that_never_shows_them_has_no_second_look(client, campaign) -> None:
    Campaign.objects.update(exposure=Exposure.NEVER)
    campaign.refresh_from_db()
    annotation = submitted(campaign)
    url = f"/annotate/annotation/{annotation.pk}/second-look/"
    assert client.get(url).status_code == client.post(url).status_code == 404


def test_a_colleague_and_an_outsider_find_no_annotation_of_somebody_else(client, campaign) -> None:
    annotation = submitted(campaign)
    lease = annotation.task.assignments.get()
    for role in ("annotator", "reviewer", "admin"):
        client.force_login(make_user(role))
        for page in ("", "second-look/"):
            assert client.get(f"/annotate/annotation/{annotation.pk}/{page}").status_code == 404
        draft = post(client, f"/annotate/task/{lease.pk}/draft/", token=str(lease.token), version=0, draft={})
        assert "not_found" in draft
    client.force_login(make_user())
    assert client.get(f"/annotate/{campaign.pk}/").status_code == 404
    assert "not_admitted" in post(client, f"/annotate/{campaign.pk}/next/")


def test_each_arm_of_a_random_campaign_shows_what_its_own_name_says_and_is_kept(
    client, campaign, monkeypatch
) -> None:
    Campaign.objects.update(exposure=Exposure.RANDOM)
    campaign.refresh_from_db()
    turn = count()
    monkeypatch.setattr(queue.random, "choice", lambda arms: arms[next(turn) % len(arms)])
    seen = set()
    for _ in range(3):
        payload = client.get(f"/annotate/{campaign.pk}/").context["payload"]
        annotation = submitted(campaign)
        arm = annotation.task.assignments.get().exposure
        shown = "machine" in payload["options"][0]
        assert annotation.exposure == arm and payload["assisted"] == shown == (arm == "before")
        second_look = client.get(f"/annotate/annotation/{annotation.pk}/second-look/")
        assert (second_look.status_code == 404) == (arm == "never")
        seen.add(arm)
    assert seen == {"never", "after", "before"}


def test_no_operation_of_the_whole_schema_tells_an_annotators_token(client, campaign, own_folder) -> None:
    """Every path and method that the OpenAPI schema names, with every id that exists, before anything is submitted."""
    user = campaign.memberships.get().user
    reviewer_labels(campaign)
    snapshot = freeze(campaign, "human")
    training = start_training(snapshot, "human")
    lease = claim_next(campaign, user)
    client.logout()
    headers = {"Authorization": f"Token {make_token(user)}"}
    ids = {
        "campaigns": campaign.pk,
        "assignments": lease.pk,
        "estimates": campaign.estimate_run_id,
        "snapshots": snapshot.pk,
        "trainings": training.pk,
        "jobs": training.job_id,
    }
    schema = SchemaGenerator().get_schema(request=None, public=True)
    tried = 0
    for path, methods in schema["paths"].items():
        address = path.replace("{number}", "0").replace("{username}", user.username)
        address = address.replace("{task}", str(lease.task_id))
        address = address.replace("{moment}", as_key(lease.task.created_at))
        address = address.replace("{id}", str(ids.get(path.split("/")[3], 1)))
        for method in methods.keys() & {"get", "post", "put", "patch", "delete"}:
            body = {} if method == "get" else {"data": "{}", "content_type": "application/json"}
            answer = getattr(client, method)(address, headers=headers, **body)
            content = b"".join(answer) if answer.streaming else answer.content
            assert "{" not in address and answer.status_code < 500, (method, address)
            assert not holds_a_secret(content.decode()), (method, address, content[:300])
            tried += 1
    assert tried > 20


def reviewer_labels(campaign: Campaign) -> None:
    """Somebody else's labels, so that there is a snapshot to ask for."""
    task = campaign.tasks.order_by("-id").first()
    make_annotation(task, make_user(), trajectory=(1, 1, 0, 1, -1))
