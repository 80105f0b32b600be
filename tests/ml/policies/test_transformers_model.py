"""The local `transformers` policy, held against the pocket policy's own engine on the same weights."""

import re
from collections import Counter
from types import SimpleNamespace

import pytest

pytest.importorskip("torch", reason="the extra `ml` is not installed")

import torch
from safetensors.torch import load_file, save_file

from ml.errors import MisstepError
from ml.execution import sandbox
from ml.pocket.problems import generate
from ml.policies import load_policy
from ml.policies.prompt import load_prompt
from ml.policies.protocol import Prefix
from ml.policies.transformers_draws import likeliest
from ml.policies.transformers_rows import Batch, Row
from ml.search import rstar
from ml.search.texts import warnings_of
from ml.search.walk import Walk
from tests.ml.policies.pocket_folder import make_pocket_folder

PROBLEMS = generate(3, seed=11)


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return load_policy(str(make_pocket_folder(tmp_path_factory.mktemp("model") / "pocket")))


@pytest.fixture(scope="module")
def pocket():
    return load_policy("pocket")


@pytest.mark.parametrize("style", ["prose", "code"])
def test_greedy_writing_is_that_of_the_pocket_engine(policy, pocket, style):
    prefixes = [Prefix(problem, (), style) for problem in PROBLEMS]
    for ours, theirs in zip(
        policy.complete(prefixes, 1, 0.0, 0), pocket.complete(prefixes, 1, 0.0, 0), strict=True
    ):
        assert ours[0].steps == theirs[0].steps
        assert ours[0].finished == theirs[0].finished
        assert ours[0].tokens == theirs[0].tokens
        assert ours[0].log_probability == pytest.approx(theirs[0].log_probability, abs=0.02)


def test_a_next_step_stops_at_its_boundary_and_goes_on_from_a_prefix(policy, pocket):
    first = policy.next_steps([Prefix(PROBLEMS[0], (), "code")], 1, 0.0, 0)[0][0]
    assert len(first.steps) == 1 and not first.finished and first.steps[0].endswith("```")
    grown = Prefix(PROBLEMS[0], first.steps, "code")
    assert (
        policy.next_steps([grown], 1, 0.0, 0)[0][0].steps == pocket.next_steps([grown], 1, 0.0, 0)[0][0].steps
    )


def test_what_is_drawn_does_not_depend_on_the_batch(policy):
    prefixes = [Prefix(problem, (), "code") for problem in PROBLEMS]
    together = policy.complete(prefixes, 3, 0.8, 7)
    alone = [policy.complete([prefix], 3, 0.8, 7)[0] for prefix in prefixes]
    assert [[c.steps for c in row] for row in together] == [[c.steps for c in row] for row in alone]
    assert len({c.steps for row in policy.complete(prefixes, 6, 1.2, 7) for c in row}) > 3


@pytest.fixture
def watched(monkeypatch):
    """How many rows each forward pass after the prompts had."""
    widths, read = [], Batch.read

    def watch(batch, tokens):
        widths.append(len(batch.rows))
        read(batch, tokens)

    monkeypatch.setattr(Batch, "read", watch)
    return widths


def test_many_samples_are_written_so_many_at_a_time_and_are_the_same(policy, monkeypatch, watched):
    prefixes = [Prefix(problem, (), style) for problem in PROBLEMS[:2] for style in ("code", "prose")]
    alone = [policy.complete([prefix], 3, 0.8, 7)[0] for prefix in prefixes]
    for rows in (3, 8):
        watched.clear()
        monkeypatch.setattr(policy, "rows_at_once", rows)
        together = policy.complete(prefixes, 3, 0.8, 7)
        assert max(watched) <= rows
        for ours, theirs in zip(together, alone, strict=True):
            assert [(one.steps, one.tokens) for one in ours] == [(one.steps, one.tokens) for one in theirs]
            assert [one.log_probability for one in ours] == pytest.approx(
                [one.log_probability for one in theirs], abs=1e-3
            )


def test_a_row_that_ends_makes_room_for_another_at_once(policy, monkeypatch, watched):
    prefixes = [Prefix(problem, (), style) for problem in PROBLEMS[:2] for style in ("code", "prose")]
    monkeypatch.setattr(policy, "rows_at_once", 6)
    tokens = sum(one.tokens for row in policy.complete(prefixes, 5, 0.8, 7) for one in row)
    refilled = len(watched)
    monkeypatch.setattr(Batch, "may_be_joined", False)
    watched.clear()
    assert sum(one.tokens for row in policy.complete(prefixes, 5, 0.8, 7) for one in row) == tokens
    # A batch to its end leaves more and more of its places empty.
    assert refilled < 0.8 * len(watched)
    assert refilled < tokens / 6 / 0.75


def test_a_folder_s_rows_and_cache_are_options_of_its_address(tmp_path):
    folder = make_pocket_folder(tmp_path / "model")
    few = load_policy(f"{folder}?rows=2&cache=3")
    assert (few.rows_at_once, few.prefixes.bytes_kept) == (2, 3 * 2**20)
    assert load_policy(f"{folder}?cache=0").prefixes.bytes_kept == 0
    assert few.name == load_policy(str(folder)).name
    for option in (
        "rows=0",
        "rows=x",
        "rows=",
        "row=2",
        "rows=2&rows=3",
        "cache=-1",
        "cache=",
        "cache=1&size=2",
        "max_tokens=0",
        "top_p=0",
        "top_p=2",
    ):
        with pytest.raises(
            MisstepError, match=r"expected (rows=N, cache=MIB, max_tokens|a whole number|a number)"
        ):
            load_policy(f"{folder}?{option}")


def test_how_long_a_folder_s_texts_may_be_is_said_in_its_address_and_told_where_they_are_cut_off(tmp_path):
    folder = make_pocket_folder(tmp_path / "model")
    short = load_policy(f"{folder}?max_tokens=4&max_step_tokens=3")
    prefix = Prefix(generate(1, seed=3)[0], (), "prose")
    ((step,),) = short.next_steps([prefix], 1, 0.8, 0)
    ((whole,),) = short.complete([prefix], 1, 0.8, 0)
    assert (step.tokens, step.cut, whole.tokens, whole.cut) == (3, True, 4, True)
    told = warnings_of(Counter({"completions": 4, "cut_off_completions": 4}), short)
    assert "raise max_tokens in the policy's address" in told[0]
    with pytest.raises(MisstepError, match="max_step_tokens 99999, expected fewer than the model reads"):
        load_policy(f"{folder}?max_step_tokens=99999")
    assert short.name == f"{load_policy(str(folder)).name}&max_tokens=4&max_step_tokens=3"


def test_only_the_likeliest_tokens_that_have_the_share_together_are_drawn():
    scores = torch.tensor([[0.5, 0.2, 0.15, 0.1, 0.05], [0.05, 0.1, 0.15, 0.2, 0.5]]).log()
    for share, kept in ((0.4, 1), (0.5, 1), (0.51, 2), (0.7, 2), (0.75, 3), (0.94, 4), (1.0, 5)):
        chances = torch.softmax(likeliest(scores, share), dim=-1)
        assert (chances > 0).sum(dim=1).tolist() == [kept, kept]
        assert chances[0].flip(0).tolist() == pytest.approx(chances[1].tolist())
    assert torch.softmax(likeliest(scores, 0.6), dim=-1)[0, :2].tolist() == pytest.approx([5 / 7, 2 / 7])


def test_a_small_top_p_writes_what_greedy_writing_does(tmp_path):
    folder = make_pocket_folder(tmp_path / "model")
    prefix = Prefix(generate(1, seed=3)[0], (), "prose")
    ((sure,),) = load_policy(f"{folder}?top_p=0.01").complete([prefix], 1, 1.0, 7)
    ((greedy,),) = load_policy(str(folder)).complete([prefix], 1, 0.0, 7)
    assert sure.steps == greedy.steps


def rows_of(seeds):
    return [Row(0, torch.Generator().manual_seed(seed), 99) for seed in seeds]


def test_draws_have_the_distribution_of_the_model(policy):
    logits = torch.tensor([0.3, float("-inf"), 2.0, -1.0, 0.0, 1.2, -4.0, float("-inf")])
    for temperature in (0.5, 1.0, 2.0):
        rows = rows_of(range(20_000))
        drawn = policy._draw(logits.repeat(len(rows), 1), rows, temperature)
        expected = torch.softmax(logits / temperature, dim=-1) * len(rows)
        possible = expected > 0
        found = torch.bincount(drawn, minlength=len(logits))
        assert not found[~possible].any()
        chi_square = ((found - expected)[possible] ** 2 / expected[possible]).sum()
        # Five degrees of freedom: above 20.5 in one of a thousand.
        assert chi_square < 20.5
        assert rows[0].log_probability == pytest.approx(
            torch.log_softmax(logits, -1)[rows[0].tokens[0]].item()
        )


def test_a_row_s_draw_takes_one_number_of_its_own_and_does_not_depend_on_its_neighbours(policy):
    logits = torch.randn(9, 5000, generator=torch.Generator().manual_seed(3))
    rows = rows_of(range(9))
    together = policy._draw(logits, rows, 0.8).tolist()
    for place, row in enumerate(rows):
        (again,) = rows_of([place])
        assert policy._draw(logits[place : place + 1], [again], 0.8).tolist() == [together[place]]
        torch.rand((), generator=(fresh := torch.Generator().manual_seed(place)), dtype=torch.float64)
        assert torch.equal(row.generator.get_state(), fresh.get_state())


def test_a_blank_line_inside_code_ends_no_step_and_the_one_behind_it_does(policy, monkeypatch):
    pieces = ["Define.", "\n", "```python", "\n", "y = 1", "\n\n", "y + 1", "\n", "```", "\n\n", "Then"]
    tokenizer = SimpleNamespace(decode=lambda tokens, **_: "".join(pieces[token - 100] for token in tokens))
    monkeypatch.setattr(policy, "tokenizer", tokenizer)
    monkeypatch.setattr(policy, "_ends", set())
    (row,) = rows_of([0])
    done = []
    for token in range(len(pieces)):
        row.tokens.append(100 + token)
        done.append(policy._is_done(row, load_prompt("code"), whole=False))
    assert done.index(True) == 9
    # Of a whole completion no blank line is an end.
    assert not policy._is_done(row, load_prompt("code"), whole=True)


def test_a_tree_can_be_searched_with_it(policy):
    walk = Walk(policy, sandbox())
    options = rstar.RStar(rollouts=2, candidates=2)
    tree = next(iter(walk.drive([("x", rstar.search(PROBLEMS[0], options, 0, style="code"))]))).result
    assert any(end.final_answer for end in tree.terminals())
    assert walk.cost.tokens > 0


def test_folders_of_one_name_with_other_weights_or_prompts_are_other_policies(policy, tmp_path):
    same, weights, prompts = (make_pocket_folder(tmp_path / part / "pocket") for part in "swp")
    tensors = load_file(weights / "model.safetensors")
    tensors["model.norm.weight"] += 1
    save_file(tensors, weights / "model.safetensors", {"format": "pt"})
    (prompts / "policy.json").unlink()
    assert re.fullmatch(r"pocket-[0-9a-f]{8}\?prompts=pocket", policy.name)
    assert load_policy(str(same)).name == policy.name
    assert load_policy(str(prompts)).name == policy.name.removesuffix("?prompts=pocket")
    changed = load_policy(str(weights)).name
    assert changed != policy.name and changed.startswith("pocket-")
