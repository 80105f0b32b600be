"""A campaign of real pocket solutions whose first mistakes are known, for tests of the loop."""

from __future__ import annotations

import random
from typing import Any

from labelsite.accounts.models import User
from labelsite.campaigns.models import Campaign
from labelsite.problems.models import Solution
from ml.pocket.problems import expression_of, generate
from ml.pocket.slips import Care
from ml.pocket.writer import write_code
from tests.factories import make_annotation, make_campaign, make_problem, make_solution, make_task

CARELESS = Care(double_sign=0.3, copying=0.25, brackets=0.3)


def pocket_solutions(count: int) -> list[tuple[Solution, int | None]]:
    """`count` code solutions by a careless hand, each with the position of its first slip."""
    made = []
    for number, problem in enumerate(generate(count, 0)):
        written = write_code(expression_of(problem.text), random.Random(number), CARELESS)
        row = make_problem(problem.text, problem.answer, source="pocket")
        solution = make_solution(
            steps=list(written.steps),
            problem=row,
            final_answer=str(written.answer),
            is_correct=str(written.answer) == problem.answer,
        )
        made.append((solution, written.first_slip))
    return made


def pocket_campaign(count: int, annotator: User, labelled: int | None = None, **fields: Any) -> Campaign:
    """A campaign in which `annotator` has found the first slip of the first `labelled` solutions."""
    campaign = make_campaign(**fields)
    for number, (solution, slip) in enumerate(pocket_solutions(count)):
        task = make_task(campaign, solution, overlap=2, remaining=2)
        if labelled is None or number < labelled:
            length = solution.position_count if slip is None else slip
            make_annotation(task, annotator, [1] * length + ([] if slip is None else [-1]))
    return campaign
