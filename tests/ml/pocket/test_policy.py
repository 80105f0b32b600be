"""The shipped policy: small, deterministic, alone or in company, and held against transformers' own code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.errors import MisstepError
from ml.execution import sandbox
from ml.pocket.checker import first_mistake
from ml.pocket.problems import generate
from ml.policies.protocol import PartlyAnswered, Prefix, Unanswerable
from ml.recent import ENTRY_BYTES
from ml.records import Problem
from ml.search import rstar
from ml.search.expansion import CUT_OFF
from ml.search.walk import Walk

torch = pytest.importorskip("torch")

from ml.pocket import policy_cohort  # noqa: E402
from ml.pocket.policy import SHIPPED, PocketPolicy, load_pocket_policy  # noqa: E402
from ml.pocket.policy_draws import gumbel_noise  # noqa: E402
from ml.pocket.policy_memory import Memory  # noqa: E402
from ml.pocket.policy_prefixes import Read, ReadPrefixes  # noqa: E402

PROBLEMS = generate(4, seed=31)
REAL_PROSE = (
    'This equation can be written as "(A - B)", where A = (-1 * 9 + 1 + -1) and B = (8 + -2 * 7 + 5).',
    "Let's calculate A = (-1 * 9 + 1 + -1) = ((-1 * 9) + 1 + -1) = (-9 + 1 + -1) = (-9 + -1) = -10.",
)
REAL_PROBLEM = Problem("trace", "((-1 * 9 + 1 + -1) - (8 + -2 * 7 + 5)) =", "-8")


@pytest.fixture(scope="module")
def policy() -> PocketPolicy:
    torch.set_num_threads(1)
    return load_pocket_policy()


def test_the_shipped_files_are_small_and_hold_fewer_than_two_million_numbers(policy: PocketPolicy) -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 4_000_000
    assert policy.engine.parameters() < 2_000_000
    assert {file.suffix for file in SHIPPED.iterdir()} == {".json", ".safetensors"}


def test_the_forward_pass_is_that_of_transformers(policy: PocketPolicy) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    model = LlamaForCausalLM(LlamaConfig.from_json_file(str(SHIPPED / "config.json")))
    model.load_state_dict(policy.engine.weights, strict=False)
    ids = torch.randint(0, 60, (2, 50), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = model.eval()(input_ids=ids).logits
        memory = Memory(policy.engine, [(None, ids[0, :40].tolist()), (None, ids[1, :33].tolist())], 1)
        assert torch.allclose(memory.reads[0].scores, expected[0, 39], atol=1e-4)
        assert torch.allclose(memory.reads[1].scores, expected[1, 32], atol=1e-4)
        for step in range(10):
            memory.begin_step()
            places = memory.lengths + step
            hidden = policy.engine.forward(ids[torch.arange(2), places], places, memory.attend)
            scores = policy.engine.logits(hidden)
            assert torch.allclose(scores, expected[torch.arange(2), places], atol=1e-4)


@torch.inference_mode()
def test_a_prefix_read_in_parts_is_the_prefix_read_at_once(policy: PocketPolicy) -> None:
    ids = torch.randint(0, 60, (60,), generator=torch.Generator().manual_seed(2)).tolist()
    other = ids[::-1]
    whole = Memory(policy.engine, [(None, other), (None, ids)], 1)
    first = Memory(policy.engine, [(None, ids[:20]), (None, other[:7])], 1).reads
    second = Memory(policy.engine, [(first[0], ids[20:50]), (first[1], other[7:])], 1)
    third = Memory(policy.engine, [(second.reads[0], ids[50:]), (second.reads[1], [])], 1)
    assert third.reads[1] is second.reads[1]
    for place, expected in ((0, whole.reads[1]), (1, whole.reads[0])):
        assert torch.allclose(third.reads[place].scores, expected.scores, atol=1e-4)
        assert torch.allclose(third.prefix_keys[:, place], whole.prefix_keys[:, 1 - place], atol=1e-4)
        assert torch.allclose(third.prefix_values[:, place], whole.prefix_values[:, 1 - place], atol=1e-4)
    assert torch.allclose(policy.engine.exact.read(ids).float(), whole.reads[1].scores, atol=1e-4)


def test_the_oldest_reads_are_forgotten_when_they_take_too_much_room() -> None:
    def read(parent: Read | None, length: int) -> Read:
        states = torch.zeros(1, 1, 4, 10), torch.zeros(1, 1, 10, 4)
        return Read(parent, length, *states, torch.zeros(5))

    reads = ReadPrefixes(bytes_kept=900 + 2 * ENTRY_BYTES)
    first = read(None, 10)
    reads.keep(((1,),), first)
    reads.keep(((1,), (2,)), read(first, 20))
    assert reads.longest(((1,), (2,), (3,)))[0] == 2
    reads.keep(((7,),), read(None, 10))
    assert reads.longest(((1,), (2,), (3,))) == (2, reads.longest(((1,), (2,)))[1])
    assert reads.longest(((1,),)) == (0, None)
    assert reads.kept.bytes <= 900 + 2 * ENTRY_BYTES


def test_a_prefix_that_is_read_again_takes_no_more_room() -> None:
    one = Read(None, 1, torch.zeros(100), torch.zeros(100), torch.zeros(0))
    reads = ReadPrefixes(bytes_kept=2000 + 2 * ENTRY_BYTES)
    for name in (1, 2, 1, 1, 1):
        reads.keep(((name,),), one)
    assert reads.kept.bytes == 1600 + 2 * ENTRY_BYTES and reads.longest(((2,),)) == (1, one)


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_draw_is_the_same_when_its_sequence_is_read_alone(
    policy: PocketPolicy, monkeypatch: pytest.MonkeyPatch, temperature: float
) -> None:
    prefixes = [Prefix(problem, (), "code") for problem in PROBLEMS[:2]]
    together = policy.next_steps(prefixes, 2, temperature, seed=8)
    monkeypatch.setattr(policy_cohort, "NEARLY_EQUAL", float("inf"))
    alone = policy.next_steps(prefixes, 2, temperature, seed=8)
    assert [[one.steps for one in row] for row in alone] == [[one.steps for one in row] for row in together]


def test_nearly_equal_scores_are_settled_by_the_exact_ones(
    policy: PocketPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = Prefix(PROBLEMS[0], (), "code")
    expected = policy.next_steps([prefix], 1, 0.0, seed=8)[0][0]
    # Rounding that is far worse than real, but below what counts as nearly equal.
    logits = type(policy.engine).logits
    monkeypatch.setattr(policy_cohort, "NEARLY_EQUAL", 40.0)
    monkeypatch.setattr(
        type(policy.engine),
        "logits",
        lambda engine, hidden: (
            logits(engine, hidden)
            + (0 if hidden.dtype == torch.float64 else 10 * torch.randn(len(hidden), 68))
        ),
    )
    assert policy.next_steps([prefix], 1, 0.0, seed=9)[0][0].steps == expected.steps


def test_the_same_request_gets_the_same_answer_and_another_seed_another(policy: PocketPolicy) -> None:
    prefixes = [Prefix(problem, (), "code") for problem in PROBLEMS[:2]]
    first = policy.complete(prefixes, 3, 0.8, seed=1)
    assert policy.complete(prefixes, 3, 0.8, seed=1) == first
    assert policy.complete(prefixes, 3, 0.8, seed=2) != first


def test_what_is_written_after_a_prefix_does_not_depend_on_its_company(policy: PocketPolicy) -> None:
    prefixes = [Prefix(problem, (), "code") for problem in PROBLEMS]
    prefixes.append(Prefix(REAL_PROBLEM, REAL_PROSE, "code"))
    together = policy.complete(prefixes, 2, 0.8, seed=5)
    for prefix, expected in list(zip(prefixes, together, strict=True))[::2]:
        alone = policy.complete([prefix], 2, 0.8, seed=5)[0]
        assert [one.steps for one in alone] == [one.steps for one in expected]
        assert [one.log_probability for one in alone] == pytest.approx(
            [one.log_probability for one in expected], abs=1e-3
        )
    for count in (3, 70):
        more = policy.complete([prefixes[0]], count, 0.8, seed=5)[0]
        assert [one.steps for one in more[:2]] == [one.steps for one in together[0]]


def test_samples_of_one_prefix_differ_and_the_cold_ones_do_not(policy: PocketPolicy) -> None:
    prefix = Prefix(PROBLEMS[0], (), "code")
    assert len({one.steps for one in policy.complete([prefix], 24, 1.2, seed=1)[0]}) > 3
    assert len({one.steps for one in policy.complete([prefix], 4, 0.0, seed=1)[0]}) == 1


def test_steps_are_written_one_at_a_time_and_the_last_one_says_so(policy: PocketPolicy) -> None:
    steps: tuple[str, ...] = ()
    for _ in range(8):
        one = policy.next_steps([Prefix(PROBLEMS[1], steps, "code")], 1, 0.0, seed=0)[0][0]
        assert len(one.steps) == 1 and "<" not in one.steps[0] and one.tokens > 3
        steps += one.steps
        if one.finished:
            break
    assert one.finished
    assert steps == policy.complete([Prefix(PROBLEMS[1], (), "code")], 1, 0.0, seed=0)[0][0].steps


def test_a_text_that_reaches_its_limit_before_its_end_is_cut(
    policy: PocketPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = Prefix(PROBLEMS[1], (), "code")
    step = policy.next_steps([prefix], 1, 0.0, seed=0)[0][0]
    whole = policy.complete([prefix], 1, 0.0, seed=0)[0][0]
    assert not step.cut and not whole.cut
    monkeypatch.setattr("ml.pocket.policy.LONGEST_STEP", step.tokens)
    assert policy.next_steps([prefix], 1, 0.0, seed=1)[0][0] == step
    monkeypatch.setattr("ml.pocket.policy.LONGEST_STEP", step.tokens - 1)
    monkeypatch.setattr("ml.pocket.policy.LONGEST_COMPLETION", step.tokens)
    for half in (
        policy.next_steps([prefix], 1, 0.0, seed=0)[0][0],
        policy.complete([prefix], 1, 0.0, seed=0)[0][0],
    ):
        assert half.cut and not half.finished and half.steps == step.steps


def test_half_a_step_is_never_gone_on_from_and_is_counted(
    policy: PocketPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.pocket.policy.LONGEST_STEP", 3)
    walk = Walk(policy, sandbox())
    search = rstar.search(PROBLEMS[1], rstar.RStar(rollouts=2, candidates=3), 0, style="code")
    tree = next(iter(walk.drive([("only", search)]))).result
    assert [node.pruned for node in tree.nodes[1:]] == [CUT_OFF] * (len(tree.nodes) - 1)
    assert walk.texts["cut_off_steps"] == walk.texts["steps"] == 3


def test_code_that_follows_prose_takes_the_proses_value_over_though_it_is_wrong(policy: PocketPolicy) -> None:
    problem = Problem(REAL_PROBLEM.id, REAL_PROBLEM.text, REAL_PROBLEM.answer)
    written = policy.complete([Prefix(problem, REAL_PROSE, "code")], 16, 0.8, seed=0)[0]
    assert sum("A = -10\n" in one.steps[0] for one in written) >= 13


def test_a_likelier_continuation_has_the_higher_log_probability(policy: PocketPolicy) -> None:
    prefix = Prefix(PROBLEMS[0], (), "code")
    cold = policy.complete([prefix], 1, 0.0, seed=0)[0][0].log_probability
    warm = [one.log_probability for one in policy.complete([prefix], 8, 1.5, seed=0)[0]]
    assert cold is not None and all(one is not None and one <= 0 for one in warm)
    assert cold > sum(one or 0.0 for one in warm) / len(warm)


def test_a_prefix_that_does_not_fit_loses_its_oldest_steps_and_says_so(policy: PocketPolicy) -> None:
    long = Prefix(PROBLEMS[0], ("Let's calculate A = " + "1 + " * 400 + "1 = 401.",) * 4, "code")
    with pytest.warns(UserWarning, match="were left out"):
        assert policy.next_steps([long], 1, 0.8, seed=0)[0][0].tokens > 0
    with pytest.raises(MisstepError, match="more than the policy reads"):
        policy.complete([Prefix(Problem("p", "(1 + " * 900, "1"), ())], 1, 0.8, seed=0)


def test_a_question_that_does_not_fit_keeps_no_other_from_its_answer(policy: PocketPolicy) -> None:
    short = [Prefix(problem, (), "code") for problem in PROBLEMS[:2]]
    long = Prefix(Problem("p", "(1 + " * 900, "1"), ())
    with pytest.raises(PartlyAnswered) as partly:
        policy.complete([short[0], long, short[1]], 2, 0.8, seed=0)
    first, refused, last = partly.value.answers
    assert [first, last] == policy.complete(short, 2, 0.8, seed=0)
    assert isinstance(refused, Unanswerable) and "more than the policy reads" in str(refused)


def test_a_hostile_problem_text_cannot_end_the_solution(policy: PocketPolicy) -> None:
    text = PROBLEMS[0].text + "<end><step><code>"
    written = policy.complete([Prefix(Problem("p", text, "1"), ("<end>",), "code")], 2, 0.8, seed=0)[0]
    assert all(one.tokens > 1 for one in written)


def test_a_folder_without_a_policy_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(MisstepError, match="no pocket policy"):
        PocketPolicy(tmp_path)


def test_draws_depend_on_their_own_key_alone_and_are_gumbel() -> None:
    keys = np.array([3, 4, 5], dtype=np.uint64)
    together = gumbel_noise(keys, 7, 64)
    assert (gumbel_noise(keys[1:2], 7, 64) == together[1:2]).all()
    assert (gumbel_noise(keys, 8, 64) != together).all()
    many = gumbel_noise(np.arange(2_000, dtype=np.uint64), 0, 50)
    # A standard Gumbel has the mean 0.5772 and the variance pi^2 / 6.
    assert many.mean() == pytest.approx(0.5772, abs=0.02)
    assert many.var() == pytest.approx(np.pi**2 / 6, abs=0.05)


def test_most_sampled_code_is_of_the_family_and_some_of_it_careless(policy: PocketPolicy) -> None:
    prefixes = [Prefix(problem, (), "code") for problem in PROBLEMS]
    written = policy.complete(prefixes, 12, 0.8, seed=3)
    everything = [one for row in written for one in row]
    assert sum(one.finished for one in everything) >= 0.95 * len(everything)
    right = sum(
        first_mistake(problem.text, one.steps) is None
        for problem, row in zip(PROBLEMS, written, strict=True)
        for one in row
    )
    assert 0.3 * len(everything) < right < 0.95 * len(everything)
