"""Templates: prefixes that begin with shorter ones, texts cut into steps, and what is refused."""

import itertools
import re
import shutil

import pytest

from ml.errors import MisstepError
from ml.policies import load_policy
from ml.policies import prompt as module
from ml.policies.prompt import FOLDER, known_family, load_prompt, prompt_for
from ml.policies.protocol import Continuation, Prefix
from ml.records import Problem

PROBLEM = Problem("p", r"What is {x} in \frac{1}{2}?", "1")
CODE_STEP = "Add.\n```python\nx = 1 + 1\nprint(x)\n```"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_a_longer_prefix_begins_with_a_shorter_one_s_text(path):
    prompt = load_prompt(path.stem)
    texts = [prompt.render(Prefix(PROBLEM, ("one", "two", "three")[:n], "prose")) for n in range(4)]
    assert all(longer.startswith(shorter) for shorter, longer in itertools.pairwise(texts))
    assert PROBLEM.text in texts[0]


def test_a_step_is_what_stands_before_the_separator():
    step = load_prompt("prose").one_step("First this.\n\nThen that.", 9, stopped=True, ended=False)
    assert step.steps == ("First this.",) and not step.finished and step.tokens == 9


def test_a_code_step_keeps_its_fence_whole():
    step = load_prompt("code").one_step(CODE_STEP + "\n\nMore.", 9, stopped=True, ended=False)
    assert step.steps == (CODE_STEP,) and not step.finished


@pytest.mark.parametrize(
    "text,ended,finished",
    [
        ("The answer is 3.\n\n<end of solution>", False, True),
        ("The answer is 3.", False, True),
        ("Half of it is 3.", True, True),
        ("Half of it is 3.", False, False),
        ("<end of solution>", False, True),
        ("", True, True),
        ("", False, False),
    ],
)
def test_a_step_ends_the_solution_by_its_mark_by_its_answer_or_by_the_engine_s_word(text, ended, finished):
    assert load_prompt("prose").one_step(text, 1, stopped=True, ended=ended).finished is finished


@pytest.mark.parametrize(
    "text,stopped,finished",
    [
        ("The answer is 3.\n\nProblem: What is 1 + 1?", False, True),
        ("The answer is 3.\n\nThat was", True, True),
        ("The answer is 3.\n\nDone.\n\n<end of solution>", True, True),
        ("The answer is 3", False, False),
        ("Half of it is 3.\n\nThe answer is 3.", True, False),
    ],
)
def test_a_whole_step_that_states_the_answer_ends_the_solution_whatever_was_written_behind_it(
    text, stopped, finished
):
    step = load_prompt("prose").one_step(text, 1, stopped=stopped, ended=False)
    assert (step.finished, step.by_phrase, len(step.steps)) == (finished, finished, 1)


def test_a_completion_is_cut_into_steps_and_is_unfinished_where_it_ran_out_of_tokens():
    prompt = load_prompt("prose")
    whole = prompt.completion(
        "One.\n\nTwo.\n\nThe answer is 3.\n\n<end of solution>\n\nProblem: x", 9, stopped=False
    )
    assert whole.steps == ("One.", "Two.", "The answer is 3.") and whole.finished
    assert not prompt.completion("One.\n\nTw", 9, stopped=False).finished


@pytest.mark.parametrize("text,stopped", [("", True), ("<end of solution>", False), ("\n\n", True)])
def test_a_completion_that_ends_at_once_is_finished_without_a_step(text, stopped):
    assert load_prompt("prose").completion(text, 1, stopped) == Continuation((), True, 1)


def test_the_pocket_family_has_its_own_form():
    prompt = prompt_for(Prefix(PROBLEM, (), "code"), "pocket")
    assert prompt.render(Prefix(PROBLEM, ("a", "b"), "code")) == f"<begin>{PROBLEM.text}<code>a<step>b<step>"
    assert prompt.completion("a<step>b<step>c<end>", 3, stopped=True).steps == ("a", "b", "c")


def test_a_template_of_one_s_own_is_checked(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('separator = "x"\nprompt = "{problem}"\n')
    with pytest.raises(MisstepError, match="keys prompt, separator, expected end, prompt"):
        load_prompt(str(path))
    with pytest.raises(MisstepError, match="expected a template like"):
        load_prompt("absent")


def test_a_family_that_is_not_there_is_refused_with_its_files_and_the_families_that_are():
    for family in ("", "pocket"):
        assert known_family(family) == family
    with pytest.raises(MisstepError) as refusal:
        load_policy("http://localhost:1/v1?model=x&prompts=zzz")
    assert str(refusal.value) == (
        f"prompts 'zzz': no file {FOLDER / 'zzz_prose.toml'} or {FOLDER / 'zzz_code.toml'}, expected these files or a"
        " family that there is (pocket); without prompts, prose and code serve any model"
    )


def test_a_policy_with_other_templates_in_a_family_of_one_s_own_has_another_name(tmp_path, monkeypatch):
    for style in ("prose", "code"):
        shutil.copy(FOLDER / f"{style}.toml", tmp_path / f"own_{style}.toml")
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    address = "http://localhost:1/v1?model=x&prompts=own"
    first = load_policy(address).name
    assert re.fullmatch(r".*\?model=x&prompts=own&templates=[0-9a-f]{8}&max_tokens=1024", first)
    assert load_policy(address).name == first
    with (tmp_path / "own_code.toml").open("a") as file:
        file.write("# Changed.\n")
    assert load_policy(address).name != first
    # The question of the critic is one of them, where the family has its own.
    second = load_policy(address).name
    shutil.copy(FOLDER / "critic.toml", tmp_path / "own_critic.toml")
    assert load_policy(address).name not in (first, second)


def test_a_text_that_was_not_stopped_in_time_is_cut_after_its_first_step():
    pocket = prompt_for(Prefix(PROBLEM, (), "code"), "pocket")
    step = pocket.one_step("a<step>b<end>", 5, stopped=True, ended=True)
    assert step.steps == ("a",) and not step.finished
    assert pocket.one_step("b<end>", 5, stopped=True, ended=True).finished
