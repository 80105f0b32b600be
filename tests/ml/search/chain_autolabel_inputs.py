"""Inputs of `python -m ml autolabel` in sums of six numbers, and the command with a policy that adds them."""

from __future__ import annotations

import json

from ml.commands import autolabel
from tests.ml.search.toy import ChainPolicy, chain_problem


def write_inputs(folder, count):
    problems, solutions = [], []
    for index in range(count):
        numbers = [(index * k) % 9 + 1 for k in range(1, 7)]
        numbers[0] += 9 * (index // 9)  # All problems are different ones.
        problem = chain_problem(*numbers, name=f"p{index}")
        wrong = index % 6
        totals = [sum(numbers[: k + 2]) + (k >= wrong) for k in range(5)]
        steps = [f"Adding {n} gives {t}." for n, t in zip(numbers[1:], totals, strict=True)]
        steps.append(f"The answer is {totals[-1]}.")
        record = {"id": problem.id, "problem": problem.text, "answer": problem.answer}
        problems.append(record)
        solution = {"steps": steps, "final_answer": str(totals[-1]), "is_correct": wrong > 4}
        solutions.append(record | {"solutions": [solution]})
    for name, records in (("problems.jsonl", problems), ("solutions.jsonl", solutions)):
        (folder / name).write_text("".join(json.dumps(record) + "\n" for record in records))


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def label(files, *arguments, out="out"):
    policy = () if "--policy" in arguments else ("--policy", "chain")
    return autolabel.main([*policy, *arguments, "--out", str(files / out)])


def with_inputs(monkeypatch, folder, count, slips=0.2):
    """The folder with `count` problems and one solution of each; whoever labels them slips that often."""
    monkeypatch.setattr(autolabel, "load_policy", lambda spec, engines, **_: ChainPolicy(slips))
    write_inputs(folder, count)
    return folder
