"""Where a solution's answer stands: not always in its last step, and not always where a program can read it."""

import pytest

from ml.execution import sandbox
from ml.policies.protocol import Continuation
from ml.records import Problem
from ml.search.grading import grade
from ml.search.recipes import RECIPES
from tests.ml.search.toy import run, solution_of

PROBLEM = Problem("toy", "What is 2 + 3?", "5")
ADD, STATED, REMARK = "Add 2 and 3.", "The answer is 5.", "This makes sense, since both are small."
TOTALS = "Add.\n```python\nprint(f'Total of 2 numbers: {2 + 3}')\n```"
PRINTS = "Add.\n```python\nprint(2 + 3)\n```"


class EndsAtOnce:
    """Takes every prefix for a whole solution, or, where `step` is given, writes that one and ends."""

    name = "ends at once"

    def __init__(self, step=None):
        self.step = step

    def complete(self, prefixes, count, temperature, seed):
        written = () if self.step is None else (self.step,)
        return [[Continuation(written, True, 1)] * count for _ in prefixes]

    next_steps = complete


def estimate(method, steps, policy):
    recipe = RECIPES[method]
    return run(recipe.estimate(solution_of(PROBLEM, steps), recipe.with_options({"rollouts": 4}), 0), policy)


@pytest.mark.parametrize(
    "steps,answer",
    [
        ([ADD, STATED, REMARK], "5"),
        ([PRINTS, REMARK], "5"),
        (["The answer is 4.", PRINTS, REMARK], "5"),
        ([PRINTS, "The answer is 4.", REMARK], "4"),
        (["Name it.\n```python\nx = 5\n```", "The answer is 4.", REMARK], "4"),
        ([STATED, "Name it.\n```python\nx = 5\n```"], "5"),
        ([ADD, REMARK], None),
        ([f"{TOTALS}\nSo it is \\boxed{{5}}."], "5"),
        ([f"We look for \\boxed{{5}}.\n{TOTALS}", REMARK], "5"),
        ([f"Of $\\boxed{{}}$ nothing is known.\n{TOTALS}"], "Total of 2 numbers: 5"),
        ([f"{TOTALS}\nThe answer is 4."], "Total of 2 numbers: 5"),
        ([f"First \\boxed{{4}}.\n{PRINTS}", PRINTS], "5"),
        (["Show it.\n```python\nprint('\\\\boxed{4}')\nprint(5)\n```"], "5"),
    ],
)
def test_the_last_stated_or_printed_answer_is_the_solution_s(steps, answer):
    assert grade(PROBLEM, steps, sandbox()).answer == answer


@pytest.mark.parametrize(
    "printed,answer",
    [
        ("'The answer is', 'sqrt(2)'", "sqrt(2)"),
        ("'Answer:', 'sqrt(2)'", "sqrt(2)"),
        ("'Answer =', '[2, 3]'", "[2, 3]"),
        ("'The answer is Yes'", "Yes"),
        ("'The answer is not 5'", "The answer is not 5"),
        ("'A: 3, B: 4'", "A: 3, B: 4"),
        ("'Answer: 7:30'", "7:30"),
        ("'Total of 2 numbers: 5'", "Total of 2 numbers: 5"),
    ],
)
def test_a_printed_sentence_that_states_the_answer_is_read_as_one(printed, answer):
    step = f"Show it.\n```python\nprint({printed})\n```"
    assert grade(PROBLEM, [step], sandbox()).answer == answer


@pytest.mark.parametrize(
    "steps,answer",
    [
        ([ADD, r"So $\boxed{5}$.", "Check: 2 + 3 = 5, so the answer is correct."], "5"),
        ([ADD, r"So $\boxed{5}$.", "The answer is 7 minus 2."], "5"),
        ([r"So $\boxed{4}$.", r"No: $\boxed{5}$.", "The answer is right."], "5"),
        ([ADD, STATED, "The answer is correct, since both are small."], "5"),
        ([ADD, STATED, "So our answer is reasonable and we are done."], "5"),
        ([ADD, STATED, "The answer is less than 10, as it should be."], "5"),
        ([ADD, STATED, "The answer is an integer, as it should be."], "5"),
        ([ADD, STATED, "The answer is in simplest form."], "5"),
        ([f"{STATED} Indeed the answer is positive."], "5"),
        ([PRINTS, "The answer is correct."], "5"),
        ([r"So $\boxed{4}$.", PRINTS, "The answer is 5."], "5"),
        ([PRINTS, r"So $\boxed{negative}$."], "negative"),
        ([PRINTS, r"So $\boxed{at least 5}$."], "at least 5"),
        ([PRINTS, "#### invalid"], "invalid"),
        ([PRINTS, "Final answer: negative"], "negative"),
        ([PRINTS, "## Answer\nnegative"], "negative"),
        ([PRINTS, "**Final Answer**\nThe total cost is $5."], "5"),
        ([PRINTS, "**Final Answer**\n$4$"], "4"),
        (["Answer: 3", "#### negative"], "negative"),
        (["So far the answer is 3.", "Answer: invalid"], "invalid"),
        (["So far the answer is 3. Answer: invalid"], "invalid"),
        ([ADD, "The answer is positive."], "positive"),
        ([ADD, "The answer is valid."], "valid"),
        ([STATED, "The answer is right triangle."], "right triangle"),
        ([ADD, "The answer is the sum of both."], None),
        ([ADD, "The answer is in the garden."], "in the garden"),
    ],
)
def test_a_remark_on_the_answer_is_the_answer_only_where_no_other_is_stated(steps, answer):
    assert grade(PROBLEM, steps, sandbox()).answer == answer


@pytest.mark.parametrize(
    "steps,answer",
    [
        ([ADD, "Therefore, the final answer is:", "\\[\n5\n\\]"], "5"),
        ([ADD, "**The answer is:**", "**5**"], "5"),
        ([ADD, "## Final Answer", "$5$"], "5"),
        ([ADD, "**Final Answer**", "$5$"], "5"),
        ([ADD, "So we are done.\nAnswer:", "5"], "5"),
        ([ADD, "The answer is:", "(B) five"], "(B) five"),
        ([ADD, "The answer is:", "$$\n5\n$$", REMARK], "5"),
        ([ADD, "The answer is:", "Both numbers are small."], None),
        ([ADD, "The answer is:", "A sum that is small."], None),
        ([ADD, "## Answer", "1. Add both."], None),
        (["Now to find the answer:", "2 + 3 is what we need."], None),
        (["Let us see what the answer is", "2 + 3 is what we need."], None),
        (["The answer is:", PRINTS, "5 it is."], "5"),
        ([ADD, "The answer is:", "The answer is 4."], "4"),
    ],
)
def test_an_answer_that_one_step_announces_may_stand_alone_in_the_next(steps, answer):
    assert grade(PROBLEM, steps, sandbox()).answer == answer


@pytest.mark.parametrize("method", RECIPES)
def test_a_closing_remark_behind_the_right_answer_is_no_mistake(method):
    found = estimate(method, [ADD, STATED, REMARK], EndsAtOnce())
    assert found.first_mistake is None
    assert 0 not in [step.hard for step in found.steps]


@pytest.mark.parametrize("method", RECIPES)
@pytest.mark.parametrize("last", ["Thus it comes to a total of 5.", REMARK])
def test_an_end_at_once_on_an_answer_that_nobody_can_read_is_no_evidence(method, last):
    found = estimate(method, [ADD, last], EndsAtOnce())
    assert found.first_mistake is None
    assert [(step.visits, step.hard) for step in found.steps] == [(0, None)] * 2


@pytest.mark.parametrize("method", ["math-shepherd", "omegaprm"])
def test_a_step_that_a_policy_writes_and_that_states_no_answer_is_still_a_wrong_end(method):
    found = estimate(method, [ADD], EndsAtOnce(REMARK))
    assert (found.steps[0].visits > 0, found.first_mistake) == (True, 0)


def test_what_code_printed_on_the_way_ends_a_given_solution_only_where_the_prose_repeats_it():
    closed = estimate("math-shepherd", [PRINTS, "So it is 5 in all."], EndsAtOnce(STATED))
    assert closed.steps[1].visits == 4 and closed.steps[1].correct == 4
    wrong = EndsAtOnce("The answer is 4.")
    assert estimate("math-shepherd", [PRINTS, "So it is 5 in all."], wrong).steps[1].correct == 4
    assert estimate("math-shepherd", [PRINTS, "Now double it."], wrong).steps[1].correct == 0
