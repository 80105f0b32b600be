"""Published MATH-APS trees open as search trees, and are saved again as they were."""

import gzip
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from labelsite.autolabels.math_aps import import_trees, tree_nodes
from labelsite.autolabels.models import EstimateRun, SearchTree
from labelsite.autolabels.trees import TreeView
from ml.errors import BadRecord, MisstepError
from ml.formats.math_aps import write_record
from ml.search import omegaprm
from ml.search.tree import Tree
from tests.data import real_data
from tests.factories import PASSWORD, make_estimate_run, make_problem, make_user
from tests.ml.search.toy import ChainPolicy, chain_problem
from tests.ml.search.toy import run as drive

pytestmark = pytest.mark.django_db
LINE = {
    "question": "2 + 2 =",
    "final_answer": "4",
    "reasoning_steps": {
        "text": "2 + 2 =",
        "mc_value": 0.5,
        "children": [
            {
                "text": "Add.",
                "mc_value": 0.75,
                "children": [{"text": "It is 4.", "mc_value": 1.0, "children": []}],
            },
            {"text": "Guess 5.", "mc_value": 0.0, "children": []},
        ],
    },
}


def test_nodes_come_parents_first_and_sure_leaves_are_ends():
    nodes = tree_nodes(LINE["reasoning_steps"])
    assert [(node["parent"], node["text"], node["terminal"]) for node in nodes] == [
        (None, "", None), (0, "Add.", None), (1, "It is 4.", "correct"), (0, "Guess 5.", "wrong"),
    ]  # fmt: skip


def test_a_tree_is_saved_as_it_was(tmp_path):
    path = tmp_path / "trees.jsonl"
    path.write_text(json.dumps(LINE) + "\n")
    (opened,) = import_trees(path, "trees")
    saved = write_record(opened.trees.get().data)
    assert {key: saved[key] for key in LINE} == LINE


def test_a_second_tree_of_a_problem_stands_in_a_second_run(tmp_path):
    path = tmp_path / "trees.jsonl"
    path.write_text((json.dumps(LINE) + "\n") * 2)
    assert [run.name for run in import_trees(path, "trees")] == ["trees", "trees (2)"]


@pytest.mark.parametrize(
    ("text", "error"), [('{"question": "q"}\n', BadRecord), ("nonsense\n", BadRecord), ("", MisstepError)]
)
def test_a_file_without_trees_is_refused_and_leaves_nothing(tmp_path, text, error):
    path = tmp_path / "trees.jsonl"
    path.write_text(text)
    with pytest.raises(error):
        import_trees(path, "trees")
    assert not EstimateRun.objects.exists()


def test_the_published_sample_opens_and_is_saved_again_unchanged(client):
    path = real_data("math_aps/samples_tree.jsonl")
    originals = [json.loads(line) for line in path.read_text().splitlines()]
    runs = import_trees(path, "samples")
    for tree in SearchTree.objects.filter(run__in=runs):
        assert TreeView(tree.data).counts()["nodes"] == tree.node_count
    reviewer = make_user("reviewer")
    client.login(username=reviewer.username, password=PASSWORD)
    saved = []
    for run in runs:
        answer = client.get(reverse("autolabels:export_run", args=[run.pk]))
        saved += [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
    assert len(saved) == len(originals)
    assert all(original in saved for original in originals)


def test_rewards_from_minus_one_to_one_are_saved_as_shares_of_right_ends():
    nodes = [
        {"id": 0, "parent": None, "text": "", "visits": 4, "q_value": -0.5},
        {"id": 1, "parent": 0, "text": "Add.", "visits": 2, "q_value": 0.0},
        {"id": 2, "parent": 0, "text": "Guess.", "visits": 2, "q_value": -1.0},
    ]
    tree = {"id": "7", "problem": "2 + 2 =", "answer": "4", "method": "rstar", "nodes": nodes}
    root = write_record(tree)["reasoning_steps"]
    assert root["mc_value"] == 0.25
    assert [child["mc_value"] for child in root["children"]] == [0.5, 0.0]


def test_an_admin_opens_a_file_in_the_browser_and_nobody_else_does(client):
    file = {"file": SimpleUploadedFile("trees.jsonl", json.dumps(LINE).encode())}
    reviewer, admin = make_user("reviewer"), make_user("admin")
    client.login(username=reviewer.username, password=PASSWORD)
    assert client.post(reverse("autolabels:open_trees"), file).status_code == 403
    client.login(username=admin.username, password=PASSWORD)
    file["file"].seek(0)
    answer = client.post(reverse("autolabels:open_trees"), file)
    assert answer.url == reverse("autolabels:run", args=[EstimateRun.objects.get().pk])


def test_an_exported_run_opens_again_whole(client, tmp_path):
    """Its problems: one with a search, one that is always solved, and one of which the policy could say nothing."""
    records = [chain_problem(*range(1, last), name=str(last)) for last in (9, 3, 5)]
    trees = [
        drive(omegaprm.search(records[0], omegaprm.OmegaPrm(), 0), ChainPolicy(0.1)),
        drive(omegaprm.search(records[1], omegaprm.OmegaPrm(), 0), ChainPolicy(0.0)),
        Tree(records[2]),
    ]
    searched = make_estimate_run(method="omegaprm")
    for tree in trees:
        SearchTree.objects.create(
            run=searched, problem=make_problem(tree.problem.text), node_count=1, data=tree.as_json()
        )
    reviewer = make_user("reviewer")
    client.login(username=reviewer.username, password=PASSWORD)
    exported = b"".join(client.get(reverse("autolabels:export_run", args=[searched.pk])).streaming_content)
    path = tmp_path / "trees.jsonl"
    path.write_bytes(exported)
    (opened,) = import_trees(path, "trees")
    again = list(opened.trees.order_by("pk"))
    assert [write_record(tree.data) for tree in again] == [json.loads(line) for line in exported.splitlines()]
    assert [tree.problem.text for tree in again] == [tree.problem.text for tree in trees]
    client.login(username=make_user("admin").username, password=PASSWORD)
    for tree in again:
        assert client.get(reverse("autolabels:tree", args=[tree.pk])).status_code == 200
        assert client.get(reverse("autolabels:node", args=[tree.pk, 0])).status_code == 200


@pytest.mark.parametrize("value", ["n/a", [0.5], 7])
def test_a_root_s_value_that_is_no_share_is_refused_in_the_browser(client, value):
    line = LINE | {"reasoning_steps": LINE["reasoning_steps"] | {"mc_value": value}}
    client.login(username=make_user("admin").username, password=PASSWORD)
    file = SimpleUploadedFile("trees.jsonl", json.dumps(line).encode())
    korean = {"accept-language": "ko"}
    answer = client.post(reverse("autolabels:open_trees"), {"file": file}, follow=True, headers=korean)
    assert "발견: tree '1', reasoning_steps: `mc_value`" in str(next(iter(answer.context["messages"])))
    assert not EstimateRun.objects.exists()


@pytest.mark.parametrize("write", [lambda line: b"\xef\xbb\xbf" + line, lambda line: gzip.compress(line)])
def test_a_byte_order_mark_and_gzip_under_another_name_are_read_as_everywhere(tmp_path, write):
    path = tmp_path / "trees.jsonl"
    path.write_bytes(write(json.dumps(LINE).encode()))
    (opened,) = import_trees(path, "trees")
    assert opened.trees.count() == 1
