"""The self-critic of ReST-MCTS*: what ends a solution is a step that states an answer, or the policy's own word."""

import json
from types import SimpleNamespace

import pytest

from ml.commands import autolabel
from ml.commands.autolabel_refusals import refuse_a_critic_that_cannot_answer
from ml.errors import MisstepError
from ml.execution import sandbox
from ml.pocket.policy import PocketPolicy
from ml.policies.prompt import CRITIC, load_prompt, prompt_for
from ml.policies.protocol import Continuation, Prefix, Unanswerable, all_answered
from ml.policies.refusals import Doubted
from ml.records import Problem
from ml.search import rest_mcts
from ml.search.self_critic import question, says_solved
from ml.search.texts import warnings_of
from ml.search.totals import Totals
from ml.search.tree import CORRECT, INVALID, Tree
from ml.search.walk import Walk
from tests.ml.search.chain_autolabel_inputs import label, lines

PROBLEM = Problem("p", "What is 2 + 2?", "4", "Four, of course.")


UNREADABLE = Unanswerable("no room in the context")


class NarrowCritic:
    """As a critic, but for questions about more than its first step, which are too long for it."""

    name, lanes = "narrow critic", 1

    def __init__(self, replies, refusal=UNREADABLE):
        self.critic, self.refusal = Critic(replies), refusal

    def next_steps(self, prefixes, count, temperature, seed):
        return all_answered([self._steps(prefix, count, temperature, seed) for prefix in prefixes])

    def complete(self, *asked):
        return self.critic.complete(*asked)

    def _steps(self, prefix, *asked):
        if prefix.style == CRITIC and STEPS[1] in prefix.problem.text:
            return self.refusal
        return self.critic.next_steps([prefix], *asked)[0]


class Critic:
    """Writes "Adding gives 4." and then "The answer is 4.", neither marked as an end, and answers the critic so."""

    name, lanes = "critic", 1

    def __init__(self, replies):
        self.replies, self.asked = replies, []

    def next_steps(self, prefixes, count, temperature, seed):
        return [self._steps(prefix, count) for prefix in prefixes]

    def complete(self, prefixes, count, temperature, seed):
        return [[Continuation(("The answer is 4.",), True, 5)] * count for _ in prefixes]

    def _steps(self, prefix, count):
        if prefix.style == CRITIC:
            self.asked.append(prefix)
            said = self.replies[sum(step in prefix.problem.text for step in STEPS) - 1]
            return [Continuation((said,) if said else (), False, 1)]
        step = STEPS[min(len(prefix.steps), 2)]
        states_answer = step.startswith("The answer")
        return [Continuation((step,), states_answer, 5, by_phrase=states_answer)] * count


STEPS = ("Adding gives 4.", "The answer is 4.", "That was all.")


def grown(replies, **options) -> tuple[Tree, Critic]:
    policy = Critic(replies)
    return searched(Walk(policy, sandbox()), **options), policy


def searched(walk: Walk, **options) -> Tree:
    chosen = rest_mcts.RestMcts(
        **{"rollouts": 6, "candidates": 1, "value_rollouts": 2, "depth": 4, **options}
    )
    search = rest_mcts.search(PROBLEM, chosen, 0)
    tree: Tree = next(iter(walk.drive([("only", search)]))).result
    return tree


def test_by_default_a_step_that_states_an_answer_ends_the_solution_and_nobody_is_asked():
    tree, policy = grown([])
    assert [(node.text, node.finished) for node in tree.nodes[1:]] == [(STEPS[0], False), (STEPS[1], True)]
    assert not policy.asked


def test_the_critic_that_asks_ends_the_solution_where_the_policy_says_solved():
    tree, policy = grown(["unsolved", "Solved."], self_critic="ask")
    assert [node.text for node in tree.nodes[1:]] == list(STEPS[:2])
    end = tree.nodes[-1]
    assert (end.finished, end.terminal, end.final_answer, end.value) == (True, CORRECT, "4", 1.0)
    assert end.quality_value == 1.0
    # Once for each step: an end is not asked about again, nor is the bare problem.
    assert len(policy.asked) == 2


def test_a_step_that_states_an_answer_goes_on_where_the_policy_says_unsolved():
    tree, _ = grown(["unsolved", "unsolved", ""], self_critic="ask")
    assert [node.text for node in tree.nodes[1:4]] == list(STEPS)
    assert not tree.nodes[2].finished and tree.nodes[2].terminal is None


@pytest.mark.parametrize("said,terminal", [("solved", CORRECT), ("unsolved", INVALID)])
def test_at_the_depth_limit_the_critic_is_asked_before_a_step_is_given_up(said, terminal):
    tree, policy = grown(["unsolved", said], self_critic="ask", depth=2)
    end = tree.nodes[-1]
    assert (end.text, end.terminal, end.finished) == (STEPS[1], terminal, said == "solved")
    assert (end.value, end.graded) == ((1.0, 1) if said == "solved" else (0.0, 0))
    assert len(policy.asked) == 2


def test_a_solved_that_no_answer_can_be_read_behind_ends_nothing():
    tree, _ = grown(["solved", "solved"], self_critic="ask")
    assert tree.nodes[1].terminal is None and tree.nodes[1].children


@pytest.mark.parametrize("refusal", [UNREADABLE, Doubted("the question is refused", lambda: False)])
def test_a_question_without_an_answer_is_counted_and_the_search_goes_on_without_it(refusal):
    walk = Walk(NarrowCritic(["unsolved"], refusal), sandbox())
    tree = searched(walk, self_critic="ask")
    assert [node.text for node in tree.nodes[1:4]] == list(STEPS)
    assert not tree.nodes[2].finished
    totals = Totals(texts=walk.texts)
    assert totals.counts()["critic_unasked"] == 3
    assert ["3 questions of the self-critic" in told for told in warnings_of(walk.texts, walk.policy)] == [
        True
    ]


def test_the_critic_never_sees_the_reference():
    tree, policy = grown(["unsolved", "solved"], self_critic="ask")
    assert all((one.problem.answer, one.problem.reference_solution) == (None, None) for one in policy.asked)
    prefix = question(tree, tree.nodes[1])
    text = prompt_for(prefix).render(prefix)
    assert PROBLEM.text in text and STEPS[0] in text and text.endswith("Verdict:\n")


@pytest.mark.parametrize(
    "reply,expected",
    [
        ("solved", True),
        ("The problem is Solved.", True),
        ("unsolved", False),
        ("not solved", False),
        ("It isn't solved yet", False),
        ("resolved", False),
        ("", False),
    ],
)
def test_only_the_plain_word_solved_ends_a_solution(reply, expected):
    assert says_solved(reply) is expected


def test_a_prompt_family_without_a_critic_of_its_own_asks_as_the_shipped_one_does():
    assert prompt_for(Prefix(PROBLEM, (), CRITIC), "pocket") == load_prompt(CRITIC)


def test_a_step_knows_that_only_its_phrase_ends_it():
    prompt = load_prompt("prose")
    assert prompt.one_step("The answer is 3.", 9, stopped=True, ended=False).by_phrase
    for text, ended in [
        ("The answer is 3.", True),
        ("The answer is 3.\n\n<end of solution>", False),
        ("Half.", False),
    ]:
        assert not prompt.one_step(text, 9, stopped=True, ended=ended).by_phrase


def arguments(folder, *more):
    (folder / "problems.jsonl").write_text(
        json.dumps({"id": "p", "problem": PROBLEM.text, "answer": "4"}) + "\n"
    )
    return ["--problems", str(folder / "problems.jsonl"), "--style", "prose", *more]


def test_the_command_asks_and_its_run_says_so(tmp_path, monkeypatch):
    policy = Critic(["unsolved", "solved", "unsolved"])
    monkeypatch.setattr(autolabel, "load_policy", lambda spec, engines, **_: policy)
    label(tmp_path, *arguments(tmp_path, "--method", "rest-mcts", "--self-critic", "ask"))
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["parameters"]["self_critic"] == "ask" and policy.asked
    (tree,) = lines(tmp_path / "out" / "trees.jsonl")
    assert tree["nodes"][2]["terminal"] == "correct"


def test_another_method_has_no_critic(tmp_path, monkeypatch):
    monkeypatch.setattr(autolabel, "load_policy", lambda spec, engines, **_: Critic([]))
    with pytest.raises(MisstepError, match="--self-critic with rstar, expected a method that has it"):
        label(tmp_path, *arguments(tmp_path, "--method", "rstar", "--self-critic", "ask"))


def test_the_pocket_policy_is_not_asked_since_it_only_writes_steps(tmp_path):
    assert PocketPolicy.only_writes_steps
    served = SimpleNamespace(name="server", family="pocket")
    with pytest.raises(MisstepError, match="expected a model that answers questions"):
        refuse_a_critic_that_cannot_answer(rest_mcts.RestMcts(self_critic="ask"), served)
    with pytest.raises(MisstepError, match="expected a model that answers questions"):
        label(
            tmp_path,
            *arguments(tmp_path, "--method", "rest-mcts", "--self-critic", "ask", "--policy", "pocket"),
        )
