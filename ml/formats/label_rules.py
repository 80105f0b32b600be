"""The label algebra: what must hold of an annotation's ratings. Imported rows that break a rule are flagged.

Only ratings on the trajectory (each position's chosen option) decide. A step that a person wrote counts as
+1 unless it was corrected: PRM800K asks for a correct step there, and stores no rating for it.
"""

from __future__ import annotations

from ml.records import Annotation, FinishReason, Solution


def trajectory_ratings(solution: Solution, annotation: Annotation) -> list[int | None]:
    """One rating per position: that of the chosen option; None where nothing is chosen or rated."""
    given = {(rating.position, rating.option): rating.rating for rating in annotation.ratings}
    ratings: list[int | None] = []
    for index, position in enumerate(solution.positions):
        if position.chosen is None:
            ratings.append(None)
            continue
        rating = given.get((index, position.chosen))
        written_by_a_person = position.options[position.chosen].source == "human"
        ratings.append(1 if rating is None and written_by_a_person else rating)
    return ratings


def first_mistake(solution: Solution, annotation: Annotation) -> int | None:
    """The position of the first -1 on the trajectory, or None."""
    ratings = trajectory_ratings(solution, annotation)
    return ratings.index(-1) if -1 in ratings else None


def broken_rule(solution: Solution, annotation: Annotation) -> str:
    """The name (docs/labelling.md says what each means) of the first rule that the annotation breaks, or an empty
    string.
    """
    ratings = trajectory_ratings(solution, annotation)
    mistake = ratings.index(-1) if -1 in ratings else None
    until = len(ratings) if mistake is None else mistake + 1
    last_rated = max(
        (rating.position for rating in annotation.ratings if rating.rating is not None), default=-1
    )
    # At the first position without a rating its other options may be rated: there somebody gave up.
    if _has_gap(ratings[:until]) or (
        mistake is None and None in ratings and last_rated > ratings.index(None)
    ):
        return "gap_in_ratings"
    if mistake is not None and last_rated > mistake:
        return "rated_after_the_first_mistake"
    return _broken_ending(annotation, ratings, mistake)


def _has_gap(ratings: list[int | None]) -> bool:
    rated = [rating is not None for rating in ratings]
    return False in rated and any(rated[rated.index(False) :])


def _broken_ending(annotation: Annotation, ratings: list[int | None], mistake: int | None) -> str:
    match annotation.finish_reason:
        case FinishReason.FOUND_ERROR:
            return "found_error_without_mistake" if mistake is None else ""
        case FinishReason.SOLUTION:
            if mistake is not None:
                return "solution_with_mistake"
            return "solution_not_finished" if None in ratings or not ratings else ""
        case _:
            if mistake is not None:
                return "exit_with_mistake"
            return "" if annotation.reason.strip() else "no_reason"
