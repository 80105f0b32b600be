"""A search step's page says in the reader's language how its code ended, and why it was pruned."""

import re

import pytest
from django.urls import reverse
from django.utils import translation

from labelsite.autolabels.models import SearchTree
from labelsite.autolabels.plots.tree import spoken
from labelsite.autolabels.trees import TreeView
from labelsite.autolabels.wording import pruned_in_words, verdict_in_words
from ml.execution.outcome import Execution, Verdict
from ml.records import Problem
from ml.search.expansion import CUT_OFF, UNREAD, _note
from ml.search.tree import Node, Tree
from tests.autolabels.files import small_tree
from tests.factories import PASSWORD, make_estimate_run, make_problem, make_user

pytestmark = pytest.mark.django_db


def facts_of(client, language, **facts):
    """The facts that the page of one step shows, as text."""
    user = make_user("reviewer")
    client.login(username=user.username, password=PASSWORD)
    problem = make_problem()
    data = small_tree(problem.pk)
    data["nodes"][1] |= facts
    tree = SearchTree.objects.create(
        run=make_estimate_run(method="rstar"), problem=problem, node_count=5, data=data
    )
    address = reverse("autolabels:node", args=[tree.pk, 1])
    page = client.get(address, headers={"accept-language": language}).content.decode()
    return re.sub(r"<[^>]*>", "", page)


@pytest.mark.parametrize(
    ("language", "failed", "why"),
    [
        ("en", "the code failed", "does not run: NameError: x"),
        ("ko", "코드 실행 실패", "실행되지 않음: NameError: x"),
    ],
)
def test_a_step_whose_code_failed_is_told_in_words(client, language, failed, why):
    found = facts_of(client, language, verdict="program_error", pruned="does not run: NameError: x")
    assert failed in found and why in found
    assert "program_error" not in found


@pytest.mark.parametrize(
    ("language", "words"), [("en", "the code was not run"), ("ko", "코드를 실행하지 못함")]
)
def test_a_step_that_the_sandbox_could_not_run_is_told_in_words(client, language, words):
    found = facts_of(client, language, verdict="infrastructure", pruned="infrastructure")
    assert found.count(words) == 2
    assert "infrastructure" not in found


def test_the_drawing_says_in_words_why_a_step_was_pruned():
    data = small_tree()
    data["nodes"][4]["pruned"] = "does not run: NameError: x"
    with translation.override("ko"):
        assert "실행되지 않음: NameError: x" in spoken(TreeView(data).nodes[4])


def test_what_a_search_notes_has_words():
    assert not [verdict for verdict in Verdict if verdict_in_words(verdict) == verdict]
    step = Node(1, 0, 1, "```python\nx\n```")
    _note(
        Tree(Problem("1", "?")),
        step,
        Execution(Verdict.PROGRAM_ERROR, "", "monty", 0, "NameError: x"),
        9,
        None,
    )
    with translation.override("ko"):
        assert pruned_in_words(str(step.pruned)) == "실행되지 않음: NameError: x"
        assert pruned_in_words(CUT_OFF) == "가장 긴 단계 길이에서 잘림"
        assert pruned_in_words(UNREAD) == "읽을 수 있는 답 없음"
    assert pruned_in_words("its code failed") == "its code failed"
