"""Everything that was said of one solution, step by step, side by side: by people, rollouts and a PRM."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation, FinishReason, StepRating
from labelsite.autolabels.gauges import share_of_range
from labelsite.autolabels.models import EstimateRun, ScoreRun, SolutionEstimate, StepEstimate, StepScore
from labelsite.campaigns.models import Task
from labelsite.comparison.models import Adjudication
from labelsite.problems.models import Solution, Step
from ml.agreement import wilson_interval
from ml.segmentation import split_code

# Below this many tenths a step's share is drawn in the colour of mistakes; see plots.css, tint-0 to tint-9.
TINTS = 10

# Their rollouts from a step are draws that know nothing of each other. Trees meet distinct ends, and go where they
# look good: of these no interval can be told.
INDEPENDENT = ("math-shepherd", "omegaprm")


@dataclass(frozen=True, slots=True)
class Estimated:
    """An estimate as a row shows it, of a run of this method. interval: what its few rollouts leave open, None where
    they are no independent draws. is_settled: no rollout was needed, as the step's own execution or the solution's
    answer decides.
    """

    row: StepEstimate
    method: str
    interval: tuple[float, float] | None
    is_settled: bool

    @property
    def bar(self) -> float | None:
        return share_of_range(self.row.q_value, self.method)


@dataclass(frozen=True, slots=True)
class Note:
    """What one person wrote to a step, or to the whole."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class OtherOption:
    """An option that the trajectory does not go through."""

    text: str
    notes: list[Note] = field(default_factory=list)


@dataclass(slots=True)
class StepOpinions:
    """One step of the trajectory. `ratings` has one entry per person, in the order of the page's columns."""

    step: Step
    sentence: str
    code: str | None
    ratings: list[StepRating | None] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    estimate: Estimated | None = None
    score: float | None = None
    notes: list[Note] = field(default_factory=list)
    options: dict[int, OtherOption] = field(default_factory=dict)
    is_run_first: bool = False

    @property
    def named_ratings(self) -> list[tuple[StepRating | None, str]]:
        """Each person's rating with the person's name, for screens too narrow for columns."""
        return list(zip(self.ratings, self.names, strict=True))

    @property
    def tint(self) -> int | None:
        """Which of ten shades the PRM's score gives the step, from mistake to right."""
        return None if self.score is None else min(TINTS - 1, int(self.score * TINTS))


@dataclass(frozen=True, slots=True)
class Person:
    """One column of people's ratings."""

    annotation: Annotation
    name: str
    is_machine: bool
    has_finished_alone: bool = False

    @property
    def first_mistake(self) -> int | None:
        """Of this solution, which may be as they finished it: then they did not leave it."""
        return None if self.has_finished_alone else self.annotation.first_mistake

    @property
    def judged(self) -> bool:
        """Whether the look says where the first mistake is, or that there is none."""
        return self.annotation.finish_reason in (FinishReason.FOUND_ERROR, FinishReason.SOLUTION)


@dataclass(frozen=True, slots=True)
class Opinions:
    """All that is known of one task's solution."""

    task: Task
    people: Sequence[Person]
    steps: Sequence[StepOpinions]
    solution_estimate: SolutionEstimate | None
    adjudication: Adjudication | None
    # Decisions that were replaced, the newest first.
    earlier: Sequence[Adjudication]

    @property
    def reasons(self) -> list[Note]:
        """What people wrote to the end of their look: why they gave up, say, or what is wrong with the problem."""
        return [Note(one.name, one.annotation.reason) for one in self.people if one.annotation.reason]


def opinions_on(task: Task, run: EstimateRun | None, scores: ScoreRun | None) -> Opinions:
    """Both opinions on a task, in eight queries at most."""
    rows = list(Step.objects.filter(solution=task.solution_id).order_by("position", "option"))
    people = _people(task, {row.pk for row in rows if row.is_chosen})
    steps = _steps(rows, task.solution.position_count)
    settled = _settled(task.solution, [opinion.step for opinion in steps])
    by_step = {opinion.step.pk: opinion for opinion in steps}
    _add_ratings(by_step, people)
    method = run.method if run is not None else ""
    for estimate in StepEstimate.objects.filter(run=run, step__in=by_step):
        is_settled = by_step[estimate.step_id].step.position in settled
        is_sampled = method in INDEPENDENT and not is_settled
        interval = wilson_interval(estimate.correct, estimate.visits) if is_sampled else None
        by_step[estimate.step_id].estimate = Estimated(estimate, method, interval, is_settled)
    for score in StepScore.objects.filter(run=scores, step__in=by_step):
        by_step[score.step_id].score = score.score
    whole = SolutionEstimate.objects.filter(run=run, solution=task.solution_id).first()
    if whole and whole.first_mistake is not None and whole.first_mistake < len(steps):
        steps[whole.first_mistake].is_run_first = True
    decisions = list(Adjudication.objects.filter(task=task).select_related("reviewer").order_by("-pk"))
    decided = next((decision for decision in decisions if decision.is_live), None)
    earlier = [decision for decision in decisions if not decision.is_live]
    return Opinions(task, people, steps, whole, decided, earlier)


def _settled(solution: Solution, steps: Sequence[Step]) -> set[int]:
    """The positions at which all rollouts would end alike: from a step on that does not run, and a finished end."""
    failing = next((step.position for step in steps if step.verdict == "program_error"), len(steps))
    ends = {len(steps) - 1} if solution.final_answer is not None else set()
    return ends | set(range(failing, len(steps)))


def _people(task: Task, trajectory: Set[int]) -> list[Person]:
    """Who looked. trajectory: the steps that the solution goes through."""
    annotations = list(Annotation.objects.filter(task=task, is_live=True).order_by("pk"))
    users = User.objects.in_bulk([annotation.annotator_id for annotation in annotations])
    return [
        Person(
            annotation,
            users[annotation.annotator_id].username,
            users[annotation.annotator_id].is_machine,
            annotation.finish_reason == FinishReason.SOLUTION
            and not trajectory.isdisjoint(annotation.extra.get("written", ())),
        )
        for annotation in annotations
    ]


def _steps(rows: Iterable[Step], count: int) -> list[StepOpinions]:
    """The trajectory; at a position where nothing was chosen, its first option stands for it.

    Steps that a person wrote behind the solution's end are none of its `count`: they stand with the last one's options.
    """
    positions: dict[int, list[Step]] = {}
    for row in rows:
        positions.setdefault(min(row.position, count - 1), []).append(row)
    found = []
    for options in positions.values():
        shown = next((option for option in options if option.is_chosen), options[0])
        sentence, code = split_code(shown.text)
        others = {option.pk: OtherOption(option.text) for option in options if option.pk != shown.pk}
        found.append(StepOpinions(shown, sentence, code, options=others))
    return found


def _add_ratings(by_step: dict[int, StepOpinions], people: Sequence[Person]) -> None:
    column = {person.annotation.pk: place for place, person in enumerate(people)}
    for opinion in by_step.values():
        opinion.ratings = [None] * len(people)
        opinion.names = [person.name for person in people]
    notes = {step: opinion.notes for step, opinion in by_step.items()}
    for opinion in by_step.values():
        notes |= {step: option.notes for step, option in opinion.options.items()}
    for rating in StepRating.objects.filter(annotation__in=column, step__in=notes).order_by("annotation_id"):
        place = column[rating.annotation_id]
        is_rated = rating.rating is not None or rating.flagged
        if rating.step_id in by_step and (is_rated or not rating.note):
            by_step[rating.step_id].ratings[place] = rating
        if rating.note:
            notes[rating.step_id].append(Note(people[place].name, rating.note))
