"""Tasks to look at: formulas, code with its output, alternatives, machine labels, and hostile text."""

from __future__ import annotations

from collections.abc import Sequence

from labelsite.accounts.models import User
from labelsite.campaigns.models import Campaign, Exposure
from labelsite.problems.models import Solution, Step, Verdict
from tests.factories import make_campaign, make_estimates, make_scores, make_solution, make_task

PROBLEM = (
    "Let $f(x) = \\frac{x^2 - 4}{x - 2}$ for $x \\ne 2$, and let $a$ be the number for which $f$ becomes "
    "continuous. A shop sells $a$ pens for \\$3 each. What do $12$ boxes of pens cost? "
    "\\[ \\lim_{x \\to 2} f(x) = a \\]"
)
STEPS = [
    "We factor the numerator: $x^2 - 4 = (x - 2)(x + 2)$, so $f(x) = x + 2$ for $x \\ne 2$.",
    "Therefore $a = \\lim_{x \\to 2} (x + 2) = 4$. A box holds 4 pens.",
    "Let us compute the price of one box in Python.\n"
    "```python\nprice = 3  # dollars for one pen\nbox = 4 * price\nprint(f'one box: {box}')\n```",
    "One box costs $4 \\cdot 3 = 12$ dollars. <script>alert(1)</script> \\frac{1}{ is broken: $\\frac{1}{$",
    "Twelve boxes cost $12 \\cdot 12 = 124$ dollars.",
    "The answer is $\\boxed{124}$.",
]
ALTERNATIVES = [
    "Twelve boxes cost $12 \\cdot 12 = 144$ dollars.",
    "So we need $12 + 12 = 24$ dollars.",
    "Interesting!",
]
GUIDELINE = """# In this campaign

Use $\\LaTeX_{a_1 * b_1}$ sense: be **fair**, *calm*, and exact.

- Code like `$x$` is judged by what it prints.
- When in doubt, see [the rules](https://example.org/rules) <script>alert(1)</script>.
"""


def solution_to_look_at(number: int = 0, alternatives: bool = False) -> Solution:
    steps: list[str | list[str]] = list(STEPS)
    if alternatives:
        steps[4] = [STEPS[4], *ALTERNATIVES]
    solution = make_solution(
        steps, problem=f"{PROBLEM} ({number})", answer="144", final_answer="124", is_correct=False
    )
    Step.objects.filter(solution=solution, position=2).update(output="one box: 12", verdict=Verdict.OK)
    return solution


def small_campaign(annotator: User, tasks: int = 4, steps: Sequence[str] = ("One.", "Two.")) -> Campaign:
    """“Problem 0?”, “Problem 1?” and so on, which come in this order, each with the same steps."""
    campaign = make_campaign(members=[annotator], guideline="Look once.")
    for number in range(tasks):
        make_task(campaign, make_solution(steps, problem=f"Problem {number}?"))
    return campaign


def blind_campaign(annotator: User, alternatives: bool = True, tasks: int = 3, **fields: object) -> Campaign:
    """A campaign whose tasks have estimates, scores and gold that its annotators must not see beforehand."""
    campaign = make_campaign(members=[annotator], guideline=GUIDELINE, **fields)
    run, scores = None, None
    for number in range(tasks):
        solution = solution_to_look_at(number, alternatives)
        run = make_estimates(solution, [0.9375, 0.875, 0.8125, 0.75, 0.0625, 0.0], run=run, first_mistake=4)
        scores_run = make_scores(solution, [0.9, 0.8, 0.7, 0.6, 0.123456, 0.1], run=scores)
        scores = scores_run
        make_task(campaign, solution, gold=[4], gold_source="reviewer")
    campaign.estimate_run, campaign.score_run = run, scores
    campaign.save()
    return campaign


def assisted_campaign(annotator: User, **fields: object) -> Campaign:
    return blind_campaign(annotator, exposure=Exposure.BEFORE, **fields)
