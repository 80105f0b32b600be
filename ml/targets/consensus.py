"""From several people's looks at one solution to one verdict: pure functions over plain values.

The rule is simple enough to explain to an annotator: the first mistake that most people named; on a tie the
earliest; the ratings before it from those who named it. A reviewer's adjudication beats a majority. The
checker of the pocket problems is heard only where no person was, so that people's own labels are trained on.
Where nobody came to a verdict, what those rated who gave up still stands: their steps have labels, and where the first
mistake is, nobody knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ml.records import FinishReason

CHECKER = "imported:checker"
# How a manifest counts the rows whose labels end where everybody gave up.
GIVEN_UP = "solutions_given_up"


@dataclass(frozen=True, slots=True)
class Look:
    """One annotation as the verdict needs it. `options`: ratings of alternatives by (position, option)."""

    annotator: str
    labeler: str
    finish_reason: str
    trajectory: Sequence[int]
    options: Mapping[tuple[int, int], int | None] = field(default_factory=dict)

    @property
    def says(self) -> int | None:
        """The first mistake that this person named; only for looks that end in a verdict."""
        return len(self.trajectory) - 1 if self.finish_reason == "found_error" else None

    def stopped_at(self, position: int) -> Look:
        """The same look by somebody for whom the solution's own step at `position` was the first mistake; who gave up,
        or reported the problem, did not come to call it one.
        """
        if not self.is_verdict:
            return replace(self, trajectory=self.trajectory[:position])
        trajectory = [*self.trajectory[:position], -1]
        return replace(self, finish_reason="found_error", trajectory=trajectory)

    @property
    def is_verdict(self) -> bool:
        return self.finish_reason in ("found_error", "solution")

    @property
    def gave_up(self) -> bool:
        return self.finish_reason == FinishReason.GIVE_UP


@dataclass(frozen=True, slots=True)
class Verdict:
    """What people's looks at one solution come to. `looks` are those that agree with it.

    allowed: the places that a reviewer calls right, the earliest first; empty where none settled it.
    is_open: everybody gave up, so that there are ratings and no verdict.
    """

    first_mistake: int | None
    looks: Sequence[Look]
    asked: Sequence[Look]
    allowed: Sequence[int | None] = ()
    is_open: bool = False


def people_first(looks: Sequence[Look]) -> list[Look]:
    """All looks of people; the checker's only where there is no other that came to its end."""
    people = [look for look in looks if look.labeler != CHECKER]
    return people if any(not look.gave_up for look in people) else list(looks)


def is_reported(looks: Sequence[Look]) -> bool:
    """Whether people reported the problem as bad, and no fewer of them than gave a verdict on the solution."""
    bad_problem = sum(look.finish_reason == "bad_problem" for look in looks)
    return bad_problem > 0 and bad_problem >= sum(look.is_verdict for look in looks)


def verdict_of(looks: Sequence[Look], step_count: int, adjudicated: Sequence[int] | None) -> Verdict | None:
    """The verdict, or None if nobody gave one. `adjudicated`: a reviewer's set of positions, -1 for none."""
    asked = [look for look in looks if look.is_verdict]
    if not asked and not adjudicated:
        return None
    first_mistake = _majority(asked, step_count) if asked else None
    named = {None if position < 0 else position for position in adjudicated or ()}
    allowed = sorted(named, key=lambda position: _place(position, step_count))
    if allowed and (not asked or first_mistake not in allowed):
        first_mistake = allowed[0]
    agreeing = [look for look in asked if look.says == first_mistake]
    return Verdict(first_mistake, agreeing, asked, allowed)


def verdict_or_ratings(
    looks: Sequence[Look], step_count: int, adjudicated: Sequence[int] | None, given_up: str
) -> Verdict | None:
    """The verdict; where there is none, what was rated before everybody gave up, unless `given_up` drops it."""
    verdict = verdict_of(looks, step_count, adjudicated)
    gave_up = [look for look in looks if look.gave_up and look.trajectory]
    if verdict or given_up == "drop" or not gave_up:
        return verdict
    open_verdict = Verdict(None, gave_up, gave_up, is_open=True)
    ratings = _ratings(open_verdict, step_count)
    return replace(open_verdict, first_mistake=ratings.index(-1) if -1 in ratings else None)


def unheard(looks: Sequence[Look], verdict: Verdict | None) -> int:
    """How many looks that were given up say nothing here: no step was rated, or others came to a verdict."""
    heard = verdict.looks if verdict and verdict.is_open else ()
    return sum(look.gave_up and look not in heard for look in looks)


def evidence_of(verdict: Verdict, step_count: int) -> dict[str, Any]:
    """The `human` part of a snapshot row: one rating per step (null: not looked at) and who said what."""
    origins = sorted({"checker" if look.labeler == CHECKER else look.labeler for look in verdict.asked})
    return {
        "ratings": _ratings(verdict, step_count),
        "first_mistake": verdict.first_mistake,
        "finish_reason": _finish_reason(verdict),
        "annotators": len(verdict.asked),
        "posterior": None,
        # Who gave up named no place, and does not testify that there is none.
        "witnesses": {} if verdict.is_open else {look.annotator: look.says for look in verdict.asked},
        "origins": origins + (["adjudication"] if verdict.allowed else []),
        "allowed": list(verdict.allowed),
        **(_given_up(verdict, step_count) if verdict.is_open else {}),
    }


def _given_up(verdict: Verdict, step_count: int) -> dict[str, Any]:
    """Who rated steps before they gave up, and how many of them rated each."""
    rated_by = [sum(step < len(look.trajectory) for look in verdict.looks) for step in range(step_count)]
    return {"given_up_by": [look.annotator for look in verdict.looks], "rated_by": rated_by}


def _finish_reason(verdict: Verdict) -> str:
    if verdict.is_open:
        return str(FinishReason.GIVE_UP)
    return str(FinishReason.SOLUTION if verdict.first_mistake is None else FinishReason.FOUND_ERROR)


def option_rating(
    verdict: Verdict | None, position: int, option: int, is_written: bool = False
) -> int | None:
    """What those who agree with the verdict said of an alternative: their majority, the lower on a tie.

    A step that one of them wrote themselves (`is_written`) has no rating, and counts as right.
    """
    if verdict is None:
        return None
    said = [look.options[position, option] for look in verdict.looks if (position, option) in look.options]
    return 1 if is_written and said == [None] else _most(said)


def _place(position: int | None, step_count: int) -> int:
    """ "No mistake" comes after every step, so that a tie goes to the earliest mistake."""
    return step_count if position is None else position


def _majority(looks: Sequence[Look], step_count: int) -> int | None:
    votes = Counter(look.says for look in looks)
    return min(votes, key=lambda position: (-votes[position], _place(position, step_count)))


def _ratings(verdict: Verdict, step_count: int) -> list[int | None]:
    end = step_count if verdict.first_mistake is None else verdict.first_mistake + 1
    ratings = [
        _most(look.trajectory[position] for look in verdict.looks if position < len(look.trajectory))
        for position in range(end)
    ]
    if not verdict.looks:
        # Only a reviewer named this place, and said nothing of single steps: what comes before it is right.
        ratings = [1] * end
        if verdict.first_mistake is not None:
            ratings[-1] = -1
    return ratings + [None] * (step_count - end)


def _most(ratings: Any) -> int | None:
    votes = Counter(rating for rating in ratings if rating is not None)
    return min(votes, key=lambda rating: (-votes[rating], rating)) if votes else None
