"""Published MATH-APS trees open as search trees, and are saved again as they were."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from labelsite.autolabels.math_aps import import_trees, tree_nodes
from labelsite.autolabels.models import EstimateRun, SearchTree
from labelsite.autolabels.trees import TreeView
from ml.errors import BadRecord, MisstepError
from ml.formats.math_aps import write_record
from tests.data import real_data
from tests.factories import PASSWORD, make_user

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
    (run,) = import_trees(path, "trees")
    saved = write_record(run.trees.get().data)
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


def test_the_published_sample_opens_and_is_saved_again_unchanged():
    path = real_data("math_aps/samples_tree.jsonl")
    runs = import_trees(path, "samples")
    originals = [json.loads(line) for line in path.read_text().splitlines()]
    trees = SearchTree.objects.filter(run__in=runs).order_by("pk")
    for tree, original in zip(trees, originals, strict=True):
        assert write_record(tree.data)["reasoning_steps"] == original["reasoning_steps"]
        assert TreeView(tree.data).counts()["nodes"] == tree.node_count


def test_an_admin_opens_a_file_in_the_browser_and_nobody_else_does(client):
    file = {"file": SimpleUploadedFile("trees.jsonl", json.dumps(LINE).encode())}
    reviewer, admin = make_user("reviewer"), make_user("admin")
    client.login(username=reviewer.username, password=PASSWORD)
    assert client.post(reverse("autolabels:open_trees"), file).status_code == 403
    client.login(username=admin.username, password=PASSWORD)
    file["file"].seek(0)
    answer = client.post(reverse("autolabels:open_trees"), file)
    assert answer.url == reverse("autolabels:run", args=[EstimateRun.objects.get().pk])
