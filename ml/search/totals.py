"""What a run has found so far, over all of its solutions or trees: for its progress and for its record."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ml.search.cost import Cost
from ml.search.texts import COMPLETIONS, ENDS, STEPS, UNASKED, WITHOUT_ANSWER

Q_BINS = 10
# A value at the lower end of a bin counts there, though floats may put it a hair below: -0.8 in tenths of -1 to 1.
AT_THE_END = 1e-9


@dataclass
class Totals:
    """Sums over the finished lines. Q-values lie between `lowest_q` and 1; `q_histogram` cuts that into tenths."""

    lowest_q: float = 0.0
    cost: Cost = field(default_factory=Cost)
    q_sum: float = 0.0
    q_count: int = 0
    q_histogram: list[int] = field(default_factory=lambda: [0] * Q_BINS)
    first_mistakes: int = 0
    disputed_answers: int = 0
    decided_answers: int = 0
    sandbox_executions: Counter[str] = field(default_factory=Counter)
    texts: Counter[str] = field(default_factory=Counter)
    prompt_tokens: Counter[str] = field(default_factory=Counter)
    infrastructure: int = 0
    ungraded: int = 0
    unanswered: int = 0
    estimated_tokens: bool = False

    @property
    def mean_q(self) -> float | None:
        """The mean over all estimated steps; None while there is none."""
        return round(self.q_sum / self.q_count, 4) if self.q_count else None

    def add(self, line: dict[str, Any]) -> None:
        """Take one finished line in."""
        self.spend(line)
        self.disputed_answers += len(line["disputed"]["answers"]) if line["disputed"] else 0
        self.decided_answers += line["decided"]
        self.ungraded += line["ungraded"]
        self.unanswered += line.get("unanswered") is not None
        self.first_mistakes += line["estimate"]["first_mistake"] is not None
        for step in line["estimate"]["steps"]:
            if step["q_value"] is not None:
                self._add_q(step["q_value"])

    def spend(self, spent: dict[str, Any]) -> None:
        """Take in what a `Meter` read, also where no line came of it."""
        for name, value in spent["cost"].items():
            setattr(self.cost, name, getattr(self.cost, name) + value)
        self.sandbox_executions.update(spent["sandbox_executions"])
        self.texts.update(spent["texts"])
        self.prompt_tokens.update(spent.get("prompt_tokens", {}))
        self.infrastructure += spent["infrastructure"]
        self.estimated_tokens |= spent.get("estimated_tokens", False)

    def _add_q(self, value: float) -> None:
        self.q_sum, self.q_count = self.q_sum + value, self.q_count + 1
        share = (value - self.lowest_q) / (1.0 - self.lowest_q)
        self.q_histogram[min(Q_BINS - 1, max(0, int(share * Q_BINS + AT_THE_END)))] += 1

    def counts(self) -> dict[str, int]:
        """What `run.json` says was met."""
        return {
            "steps": self.q_count,
            "first_mistakes": self.first_mistakes,
            "disputed_answers": self.disputed_answers,
            "decided_answers": self.decided_answers,
            "infrastructure": self.infrastructure,
            "ungraded": self.ungraded,
            "unanswered": self.unanswered,
            "texts": self.texts[STEPS] + self.texts[COMPLETIONS],
            "cut_off": self.texts[f"cut_off_{STEPS}"] + self.texts[f"cut_off_{COMPLETIONS}"],
            "ends": self.texts[ENDS],
            "without_answer": self.texts[WITHOUT_ANSWER],
            "lost_texts": self.texts["lost"],
            "critic_unasked": self.texts[UNASKED],
            **{f"prompt_tokens_{how}": count for how, count in sorted(self.prompt_tokens.items())},
        }

    def metrics(self, under_way: Cost | None = None) -> dict[str, Any]:
        """What a progress line shows. under_way: what was spent since the last finished line."""
        spent = under_way or Cost()
        return {
            "mean_q": self.mean_q,
            "tokens": self.cost.tokens + spent.tokens,
            "model_calls": self.cost.model_calls + spent.model_calls,
            "executions": self.cost.executions + spent.executions,
            "seconds": round(self.cost.seconds + spent.seconds, 1),
            "q_histogram": self.q_histogram,
        }
