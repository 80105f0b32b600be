"""How the texts of a run ended: what was cut off, states no answer, or is no draw of the policy is counted and told."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ml.policies.protocol import Continuation, Unanswerable
from ml.search.requests import Graded, NextSteps, Request, is_dispensable

STEPS, COMPLETIONS = "steps", "completions"
# Solutions that were graded at their end, and those of them in which no answer was recognised.
ENDS, WITHOUT_ANSWER = "ends", "without_answer"
# Questions that did not fit the policy, and without whose answer the search went on: the self-critic's.
UNASKED = "unasked"
# Above this share of texts that were cut off, the search is told more of the limit than of its steps.
MANY = 0.05


def texts_of(request: Request, answer: Any) -> Counter[str]:
    """How many texts an answer of the policy has, by kind, and how many of these were cut off or lost; or that it could
    not be asked, and the search went on.
    """
    if is_dispensable(request) and isinstance(answer, Unanswerable):
        return Counter({UNASKED: 1})
    if not isinstance(answer, list):
        return Counter()
    kind = STEPS if isinstance(request, NextSteps) else COMPLETIONS
    texts = [text for text in answer if isinstance(text, Continuation)]
    cut, lost = sum(text.cut for text in texts), sum(text.lost for text in texts)
    return +Counter({kind: len(texts), f"cut_off_{kind}": cut, "lost": lost})


def ends_of(graded: Graded) -> Counter[str]:
    """A graded end, and whether it has no answer; nothing where it could not be graded."""
    return +Counter({ENDS: graded.is_evidence, WITHOUT_ANSWER: graded.is_unread})


def warnings_of(texts: Counter[str], policy: Any) -> list[str]:
    """What a person should be told of the texts of a run, with the option of the policy's address to raise."""
    options: dict[str, str] = getattr(policy, "limit_options", {})
    told = []
    for kind, option in options.items():
        cut, written = texts[f"cut_off_{kind}"], texts[kind]
        if cut > MANY * written:
            told.append(
                f"{cut} of {written} {kind} were cut off at their longest, and count as wrong or not at all: "
                f"raise {option} in the policy's address, as far as the model's context goes"
            )
    if texts[WITHOUT_ANSWER] > MANY * texts[ENDS]:
        told.append(
            f"in {texts[WITHOUT_ANSWER]} of {texts[ENDS]} solutions that came to their end no answer was recognised, "
            "and none of these counts as right: look whether the policy's prompt asks for an answer in a form that "
            "is read"
        )
    if texts[UNASKED]:
        told.append(
            f"{texts[UNASKED]} questions of the self-critic do not fit the policy's context, or were refused: "
            "these searches went on as without its answer"
        )
    return told
