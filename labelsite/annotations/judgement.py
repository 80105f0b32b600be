"""What a person says of a solution, and the protocols' rules for it. Pure: no database.

The rules stand twice: here with words that say what is missing, and as constraints of the tables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b

from django.utils.translation import gettext as _

from labelsite.annotations.models import EXITS, FinishReason
from labelsite.campaigns.models import Protocol


class Unlawful(Exception):
    """The judgement breaks a rule of the protocol; `code` is for programs, the message says what is missing, and
    `field` is the field of the judgement that is wrong, where it is a single one.
    """

    def __init__(self, code: str, message: str, field: str = "") -> None:
        self.code, self.field = code, field
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Option:
    """One candidate step, as the rules need it."""

    id: int
    position: int
    option: int
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Rating:
    step: int
    rating: int | None
    flagged: bool = False
    milliseconds: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """As the page or a script sends it. `first_mistake` belongs to the index-only protocol.

    guideline_version: of the guideline that the person had before them; None is taken for the newest.
    protocol: by which the person was asked; None is taken for the campaign's present one.
    """

    finish_reason: str
    reason: str = ""
    ratings: tuple[Rating, ...] = ()
    first_mistake: int | None = None
    written: tuple[str, ...] = ()
    total_time_ms: int | None = None
    guideline_version: int | None = None
    protocol: str | None = None


@dataclass(frozen=True, slots=True)
class Lawful:
    """What will be stored: the trajectory's ratings, a row per rated option, and steps that the person wrote."""

    finish_reason: str
    reason: str
    trajectory: list[int]
    ratings: list[Rating]
    total_time_ms: int | None
    written: list[tuple[int, str]] = field(default_factory=list)


def digest_of(judgement: Judgement) -> str:
    """The same for the same judgement: tells a repeated request from another one under its key."""
    text = json.dumps(asdict(judgement), sort_keys=True)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def check(protocol: str, asks_reason: bool, options: Sequence[Option], judgement: Judgement) -> Lawful:
    """The judgement as it may be stored; raises Unlawful with what is missing or against the rules."""
    known = {option.id for option in options}
    steps = [rating.step for rating in judgement.ratings]
    if not set(steps) <= known or len(set(steps)) < len(steps):
        raise Unlawful("unknown_step", _("A rating names a step that is not here, or one step twice."))
    if judgement.finish_reason in EXITS and not judgement.reason:
        raise Unlawful("no_reason", _("Say why in a few words."))
    if judgement.finish_reason == FinishReason.FOUND_ERROR and asks_reason and not judgement.reason:
        raise Unlawful("no_reason", _("Say in a few words what is wrong with the step."))
    if judgement.written and protocol != Protocol.EVERY_OPTION:
        raise Unlawful("written", _("Only the every-option protocol takes steps that you write."))
    checks = {
        Protocol.FIRST_MISTAKE.value: _first_mistake,
        Protocol.INDEX_ONLY.value: _index_only,
        Protocol.EVERY_OPTION.value: _every_option,
    }
    return checks[protocol](options, judgement)


def chosen_options(options: Sequence[Option]) -> list[Option]:
    """The trajectory: the chosen option of each position, up to the first position without one."""
    by_position = {option.position: option for option in options if option.is_chosen}
    chosen: list[Option] = []
    while len(chosen) in by_position:
        chosen.append(by_position[len(chosen)])
    return chosen


def alternatives_at(options: Sequence[Option], position: int) -> list[Option]:
    return [option for option in options if option.position == position and not option.is_chosen]


def _prefix(options: Sequence[Option], judgement: Judgement) -> tuple[list[int], dict[int, Rating]]:
    """Ratings along the trajectory; refuses a gap and anything behind the first -1."""
    given = {rating.step: rating for rating in judgement.ratings}
    chosen = chosen_options(options)
    ratings = [given[option.id].rating if option.id in given else None for option in chosen]
    until = ratings.index(None) if None in ratings else len(ratings)
    if any(rating is not None for rating in ratings[until:]):
        raise Unlawful("gap", _("Step %(number)s is not rated, but a later one is.") % {"number": until + 1})
    trajectory = [rating for rating in ratings[:until] if rating is not None]
    if -1 in trajectory[:-1]:
        raise Unlawful("after_mistake", _("Nothing is rated after the first mistake."))
    return trajectory, given


def _agree(judgement: Judgement, trajectory: Sequence[int], complete: bool) -> None:
    """The finish reason must say what the ratings say."""
    found = trajectory[-1:] == [-1]
    match judgement.finish_reason:
        case FinishReason.FOUND_ERROR if not found:
            raise Unlawful("incomplete", _("Find the first mistake, or rate all steps."))
        case FinishReason.SOLUTION if found or not complete:
            raise Unlawful("incomplete", _("Find the first mistake, or rate all steps."))
        case FinishReason.BAD_PROBLEM | FinishReason.GIVE_UP if found:
            raise _mistake_marked()


def _mistake_marked() -> Unlawful:
    return Unlawful("mistake_marked", _("You marked a mistake. Submit it, or take the mark back first."))


def _refuse_contradiction(judgement: Judgement, found: int | None) -> None:
    """A script may send both the ratings and what they come to: one of the two would be passed over."""
    if found != judgement.first_mistake:
        given, said = ("null" if index is None else str(index) for index in (judgement.first_mistake, found))
        message = _(
            "first_mistake is %(given)s, but by the ratings it is %(said)s"
            " (steps are counted from 0; null: no mistake)."
        )
        raise Unlawful("contradiction", message % {"given": given, "said": said}, "first_mistake")


def _refuse_another_index(judgement: Judgement, trajectory: Sequence[int]) -> None:
    """The ratings are the judgement; the index need not be sent."""
    if judgement.first_mistake is not None:
        _refuse_contradiction(judgement, len(trajectory) - 1 if trajectory[-1:] == [-1] else None)


def _first_mistake(options: Sequence[Option], judgement: Judgement) -> Lawful:
    trajectory, given = _prefix(options, judgement)
    _refuse_another_index(judgement, trajectory)
    chosen = chosen_options(options)
    _agree(judgement, trajectory, complete=bool(chosen) and len(trajectory) == len(chosen))
    allowed = {option.id for option in chosen[: len(trajectory)]}
    if judgement.finish_reason == FinishReason.FOUND_ERROR:
        others = alternatives_at(options, len(trajectory) - 1)
        for option in others:
            rating = given.get(option.id)
            if rating is None or (rating.rating is None and not rating.flagged):
                raise Unlawful("alternatives", _("Rate the alternatives too, or mark them with “?”."))
        allowed |= {option.id for option in others}
    return _lawful(judgement, trajectory, given, allowed)


def _index_only(options: Sequence[Option], judgement: Judgement) -> Lawful:
    chosen = chosen_options(options)
    given = {rating.step: rating for rating in judgement.ratings}
    if judgement.finish_reason == FinishReason.FOUND_ERROR:
        if judgement.first_mistake is None or not 0 <= judgement.first_mistake < len(chosen):
            raise Unlawful("incomplete", _("Mark the first wrong step, or say that there is no mistake."))
        trajectory = [1] * judgement.first_mistake + [-1]
    elif judgement.finish_reason == FinishReason.SOLUTION:
        if judgement.first_mistake is not None or not chosen:
            raise Unlawful("incomplete", _("Mark the first wrong step, or say that there is no mistake."))
        trajectory = [1] * len(chosen)
    else:
        trajectory = []
        if judgement.first_mistake is not None:
            raise _mistake_marked()
    _refuse_other_marks(judgement, chosen)
    _refuse_other_ratings(
        judgement, {option.id: rating for option, rating in zip(chosen, trajectory, strict=False)}
    )
    # The index stands for these ratings; time and note of a step come from what the page measured. A note on a step
    # that the index says nothing of is kept without a rating.
    ratings = [
        Rating(
            option.id,
            rating,
            milliseconds=given[option.id].milliseconds if option.id in given else None,
            note=given[option.id].note if option.id in given else "",
        )
        for option, rating in zip(chosen, trajectory, strict=False)
    ]
    stored = {rating.step for rating in ratings}
    ratings += [
        replace(rating, flagged=False)
        for rating in judgement.ratings
        if rating.note and rating.step not in stored
    ]
    return Lawful(judgement.finish_reason, judgement.reason, trajectory, ratings, judgement.total_time_ms)


def _refuse_other_marks(judgement: Judgement, chosen: Sequence[Option]) -> None:
    """Where the index is the judgement, ratings need not be sent; but those that are must not say another thing."""
    given = {rating.step: rating.rating for rating in judgement.ratings}
    ratings = [given.get(option.id) for option in chosen]
    first = judgement.first_mistake
    marked = ratings.index(-1) if -1 in ratings else None
    if marked is not None or (first is not None and ratings[first] is not None):
        _refuse_contradiction(judgement, marked)


def _refuse_other_ratings(judgement: Judgement, stored: Mapping[int, int]) -> None:
    """What the index does not stand for would be lost, such as a 0 before the mistake."""
    if any(rating.rating not in (None, stored.get(rating.step)) for rating in judgement.ratings):
        message = _(
            "Only the first mistake is asked for here: it counts as -1 and every step before it as +1."
            " A rating says something else."
        )
        raise Unlawful("stray", message, "ratings")


def _every_option(options: Sequence[Option], judgement: Judgement) -> Lawful:
    trajectory, given = _prefix(options, judgement)
    chosen = chosen_options(options)
    for position in range(len(trajectory)):
        for option in alternatives_at(options, position):
            if option.id not in given or given[option.id].rating is None:
                message = _("Rate every option of step %(number)s.") % {"number": position + 1}
                raise Unlawful("alternatives", message)
    reached = len(trajectory) - 1
    written: list[tuple[int, str]] = []
    if judgement.written:
        _check_written(options, given, reached, trajectory)
        written = [(reached + index, text) for index, text in enumerate(judgement.written)]
        if not all(judgement.written):
            raise Unlawful("written", _("A step that you write needs words."))
        if judgement.finish_reason != FinishReason.FOUND_ERROR:
            # The person went on from their own steps; each counts as +1, and its stored rating is null.
            trajectory = trajectory[:reached] + [1] * len(written)
    _refuse_another_index(judgement, trajectory)
    complete = bool(written) or (bool(chosen) and len(trajectory) == len(chosen))
    _agree(judgement, trajectory, complete)
    allowed = {option.id for option in options if option.position <= reached}
    return _lawful(judgement, trajectory, given, allowed, written)


def _check_written(
    options: Sequence[Option], given: Mapping[int, Rating], reached: int, trajectory: Sequence[int]
) -> None:
    here = [option.id for option in options if option.position == reached]
    if trajectory[-1:] != [-1] or any(given[step].rating != -1 for step in here if step in given):
        raise Unlawful("written", _("Write a step only where no option is acceptable."))


def _lawful(
    judgement: Judgement,
    trajectory: list[int],
    given: Mapping[int, Rating],
    allowed: set[int],
    written: list[tuple[int, str]] | None = None,
) -> Lawful:
    stray = [
        rating for rating in given.values() if rating.step not in allowed and (rating.rating is not None)
    ]
    if stray:
        raise Unlawful("stray", _("An option is rated that this protocol does not ask about."))
    # Somebody who leaves the task may have noted why at the very step that they could not rate.
    is_exit = judgement.finish_reason in EXITS
    ratings = [
        rating if rating.step in allowed else replace(rating, flagged=False)
        for rating in given.values()
        if rating.step in allowed or (is_exit and rating.note)
    ]
    return Lawful(
        judgement.finish_reason, judgement.reason, trajectory, ratings, judgement.total_time_ms, written or []
    )
