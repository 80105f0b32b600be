"""A trained checkpoint guides a search: its values, and rStar's PPM-augmented rounds from end to end."""

from __future__ import annotations

import json
import shutil
from itertools import accumulate
from operator import mul

import pytest

from ml.commands import autolabel
from ml.errors import MisstepError
from ml.policies.protocol import Prefix
from ml.prm import load_scorer
from ml.prm.checkpoint import seal
from ml.prm.value_model import load_value_model, usual_aggregation
from ml.records import Problem
from ml.search.tree import INVALID
from tests.ml.prm.commands import trained
from tests.ml.prm.toys import sums
from tests.ml.search.toy import ChainPolicy

ROW = sums(1)[0]
PROBLEM = Problem("p", ROW.problem, "0")


@pytest.fixture(scope="module")
def preference_checkpoint(tmp_path_factory):
    from ml.commands import train
    from ml.snapshot import write_snapshot

    folder = tmp_path_factory.mktemp("preference")
    write_snapshot(folder / "snapshot", sums(20), name="sums", labels="human")
    given = ["--snapshot", str(folder / "snapshot"), "--out", str(folder / "checkpoint"), "--base", "small"]
    train.main([*given, "--objective", "preference", "--steps", "3", "--batch-size", "8"])
    return folder / "checkpoint"


def prefixes():
    return [Prefix(PROBLEM, tuple(ROW.steps[:length])) for length in (2, 0, 3, 1)]


def test_a_prefix_is_worth_what_the_model_says_of_its_last_step(preference_checkpoint):
    model = load_value_model(preference_checkpoint)
    scores = load_scorer(preference_checkpoint).score(ROW.problem, ROW.steps)
    assert model.values(prefixes()) == pytest.approx([scores[1], 0.0, scores[2], scores[0]], abs=1e-4)
    assert model.name.startswith("preference-")


def test_weights_in_several_files_guide_a_search_as_well(preference_checkpoint, tmp_path):
    model = load_value_model(preference_checkpoint)
    folder = shutil.copytree(preference_checkpoint, tmp_path / "parted")
    (folder / "model.safetensors").unlink()
    model.scorer.model.plain.save_pretrained(folder, max_shard_size="500KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    (folder / "manifest.json").unlink()
    seal(folder)
    parted = load_value_model(folder)
    assert parted.values(prefixes()) == model.values(prefixes()) and parted.name != model.name


@pytest.mark.parametrize("tolerance", ["0", "50"])
@pytest.mark.parametrize("objective", ["classifier", "outcome"])
def test_where_steps_are_read_by_their_own_tokens_a_prefix_is_worth_all_of_them(
    tmp_path, capsys, objective, tolerance
):
    given = ("--head", "likelihood", "--objective", objective, "--tolerance", tolerance)
    checkpoint, _ = trained(tmp_path, capsys, *given)
    scores = load_scorer(checkpoint).score(ROW.problem, ROW.steps)
    # An outcome model's scores are products already.
    worth = list(accumulate(scores, mul)) if objective == "classifier" else scores
    expected = [worth[1], 0.0, worth[2], worth[0]]
    model = load_value_model(checkpoint)
    assert model.values(prefixes()) == pytest.approx(expected, abs=1e-4)
    # What is a product already is not multiplied again.
    assert model.usual_aggregation == "last"


@pytest.mark.parametrize(
    ("objective", "rule", "expected"),
    [
        ("classifier", {"labels": "human"}, "product"),
        ("classifier", {"labels": "automatic"}, "last"),
        ("classifier", {"labels": "mixed", "mixture": "people_override"}, "last"),
        # Labels that people have a part in, every one of them.
        ("classifier", {"labels": "mixed", "mixture": "consensus"}, "product"),
        ("classifier", {"labels": "mixed", "mixture": "fusion"}, "product"),
        # Outcomes, values and preferences are said of all steps so far, whoever labelled them.
        ("outcome", {"labels": "human"}, "last"),
        ("value", {"labels": "human"}, "last"),
        ("preference", {"labels": "human"}, "last"),
        ("classifier", None, "last"),
    ],
)
def test_scores_are_joined_by_what_the_labels_mean(objective, rule, expected):
    assert usual_aggregation({"objective": objective, "label_rule": rule}) == expected


def test_signed_values_lie_between_minus_one_and_one(preference_checkpoint):
    plain, signed = load_value_model(preference_checkpoint), load_value_model(preference_checkpoint, True)
    expected = [2 * value - 1 for value in plain.values(prefixes())]
    expected[1] = 0.0  # The bare problem has no step to be right or wrong.
    assert signed.values(prefixes()) == pytest.approx(expected, abs=1e-9)


def test_a_prefix_is_worth_the_same_in_any_company(preference_checkpoint):
    model = load_value_model(preference_checkpoint)
    company = [Prefix(Problem("q", row.problem, "0"), tuple(row.steps)) for row in sums(40, seed=5)]
    alone = model.values(prefixes())
    assert model.values([*company, *prefixes()])[-4:] == alone


def test_a_value_where_rounding_turns_is_read_again_by_itself(preference_checkpoint, monkeypatch):
    model = load_value_model(preference_checkpoint)
    reads = []

    def nearly(solutions):
        """In company 0.12345 and a last bit too little; alone as it is."""
        waiting = list(solutions)
        reads.append(len(waiting))
        yield from ((one.id, [0.12345 - 1e-7 if len(waiting) > 1 else 0.12345 + 1e-7]) for one in waiting)

    monkeypatch.setattr(model.scorer, "score_all", nearly)
    both = [prefixes()[0], prefixes()[2]]
    assert model.values(both) == [0.1235, 0.1235]
    assert reads == [2, 1, 1]


def guided(folder, checkpoint, monkeypatch, method, name):
    monkeypatch.setattr(autolabel, "load_policy", lambda spec, engines, **_: ChainPolicy(0.3))
    problems = folder / "problems.jsonl"
    lines = [{"problem": f"{n} + 4 + 5 + 6", "answer": n + 15} for n in range(1, 5)]
    problems.write_text("".join(json.dumps(line) + "\n" for line in lines))
    given = ["--problems", str(problems), "--policy", "chain", "--style", "prose", "--method", method]
    autolabel.main([*given, "--value-model", str(checkpoint), "--rollouts", "6", "--out", str(folder / name)])
    trees = [json.loads(line) for line in (folder / name / "trees.jsonl").read_text().splitlines()]
    return trees, json.loads((folder / name / "run.json").read_text())


def test_rstar_s_later_rounds_start_each_step_at_what_the_preference_model_says(
    preference_checkpoint, tmp_path, monkeypatch
):
    trees, run = guided(tmp_path, preference_checkpoint, monkeypatch, "rstar", "out")
    model = load_value_model(preference_checkpoint, signed=True)
    assert run["value_model"] == model.name and run["parameters"]["use_preference_model"] is True
    assert len(trees) == 4
    for tree in trees:
        problem = Problem(tree["id"], tree["problem"], tree["answer"])
        nodes = tree["nodes"]
        for node in nodes[1:]:
            if node["terminal"] is not None:
                assert node["prior"] is None or node["terminal"] == INVALID
                continue
            path, here = [], node
            while here["parent"] is not None:
                path.append(here["text"])
                here = nodes[here["parent"]]
            assert node["prior"] == model.values([Prefix(problem, tuple(reversed(path)))])[0]
            # q^0 is one visit; whatever came back later are ends of -1 and +1.
            rewards = node["value_sum"] - node["prior"]
            assert rewards == pytest.approx(round(rewards)) and abs(rewards) <= node["visits"] - 1
    again, _ = guided(tmp_path, preference_checkpoint, monkeypatch, "rstar", "again")
    assert again == trees


def test_mcts_star_is_guided_by_the_same_kind_of_checkpoint(preference_checkpoint, tmp_path, monkeypatch):
    trees, run = guided(tmp_path, preference_checkpoint, monkeypatch, "rest-mcts", "out")
    assert run["parameters"]["use_value_model"] is True
    priors = [node["prior"] for tree in trees for node in tree["nodes"][1:]]
    assert priors and all(0.0 <= prior <= 1.0 for prior in priors)


def test_a_method_that_follows_no_value_model_refuses_one(preference_checkpoint, tmp_path, monkeypatch):
    with pytest.raises(MisstepError, match="--value-model with math-shepherd, expected --method rstar"):
        guided(tmp_path, preference_checkpoint, monkeypatch, "math-shepherd", "out")
