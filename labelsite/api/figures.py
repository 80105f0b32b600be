"""What the pages show of a campaign and its people, for scripts: progress, members, and the comparison's figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labelsite.accounts.models import User
from labelsite.api.base import Endpoint, IsReviewer
from labelsite.api.machine_lines import asked_run
from labelsite.api.problems import BadRequest
from labelsite.asked import wholes
from labelsite.autolabels.models import EstimateRun
from labelsite.campaigns import progress
from labelsite.campaigns.access import campaign_or_404
from labelsite.campaigns.models import Task
from labelsite.comparison.lens import lens_for
from labelsite.comparison.overview import Overview, overview
from labelsite.comparison.pace import too_fast_among
from labelsite.storable import may_be_stored


class DaySerializer(serializers.Serializer[Any]):
    day = serializers.DateField()
    count = serializers.IntegerField()


class ProgressSerializer(serializers.Serializer[Any]):
    """How far a campaign is: its work, and gold and screening beside."""

    tasks = serializers.IntegerField()
    done = serializers.IntegerField()
    set_aside = serializers.IntegerField()
    share = serializers.FloatField(help_text="of the tasks that are done")
    wanted = serializers.IntegerField(help_text="looks that the tasks want in all; where adaptive, at least")
    free = serializers.IntegerField(help_text="looks that nobody has taken yet; where adaptive, at least")
    in_hand = serializers.IntegerField(help_text="looks that somebody has taken and not submitted yet")
    gold = serializers.IntegerField()
    screening = serializers.IntegerField()
    days = DaySerializer(many=True, help_text="submitted on each of the last days")


class MemberSerializer(serializers.Serializer[Any]):
    """Who may label, and what they did here."""

    username = serializers.CharField(source="user.username")
    state = serializers.CharField()
    sections = serializers.ListField(child=serializers.CharField(), help_text="kept to these; none: all")
    submitted = serializers.IntegerField()
    in_hand = serializers.IntegerField()


class PersonSerializer(serializers.Serializer[Any]):
    annotator = serializers.CharField()
    looks = serializers.IntegerField()
    steps = serializers.IntegerField()
    mistakes = serializers.IntegerField()
    bad_problems = serializers.IntegerField()
    give_ups = serializers.IntegerField()
    gold_seen = serializers.IntegerField(help_text="gold and screening items, also those given up")
    gold_accuracy = serializers.FloatField(allow_null=True)
    gold_interval = serializers.ListField(child=serializers.FloatField())
    known_seen = serializers.IntegerField(
        help_text="solutions whose first mistake is known, gold items among them; never by this labeler's own word"
    )
    known_accuracy = serializers.FloatField(allow_null=True)
    gold_bias = serializers.FloatField(allow_null=True, help_text="in steps, on these; positive is late")
    timed = serializers.IntegerField(help_text="looks of which the time is known")
    seconds = serializers.FloatField(allow_null=True, help_text="the median")
    labels_excluded = serializers.BooleanField(help_text="they have this row, and no part in other figures")
    is_too_fast = serializers.BooleanField(help_text="below a third of the median of the others' medians")
    machine_agreement = serializers.FloatField(allow_null=True)
    machine_count = serializers.IntegerField()


class PairSerializer(serializers.Serializer[Any]):
    first = serializers.CharField()
    second = serializers.CharField()
    common = serializers.IntegerField()
    exact = serializers.FloatField()
    kappa = serializers.FloatField(allow_null=True)


class BetweenSerializer(serializers.Serializer[Any]):
    solutions_shared = serializers.IntegerField()
    differ = serializers.IntegerField(help_text="of these, where people name different first mistakes")
    alpha = serializers.FloatField(allow_null=True)
    percent = serializers.FloatField(allow_null=True)
    pairs = PairSerializer(many=True)


class AgreementSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    exact = serializers.FloatField()
    exact_interval = serializers.ListField(child=serializers.FloatField())
    within_one = serializers.FloatField()
    bias = serializers.FloatField(allow_null=True, help_text="in steps; positive: the machine is late")
    kappa = serializers.FloatField(allow_null=True)


class KindsSerializer(serializers.Serializer[Any]):
    """Looks of each kind; the page counts the solutions of its lists."""

    agree = serializers.IntegerField()
    earlier = serializers.IntegerField()
    later = serializers.IntegerField()
    misses = serializers.IntegerField()
    invents = serializers.IntegerField()


class StepsSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    kappa = serializers.FloatField(allow_null=True)
    auc = serializers.FloatField(allow_null=True)


class ComparisonSerializer(serializers.Serializer[Any]):
    """People against people, and against a run of estimates; what needs a run is null without one."""

    run = serializers.IntegerField(allow_null=True)
    is_gold = serializers.BooleanField(help_text="gold stands in for people")
    looks = serializers.IntegerField()
    both = serializers.IntegerField(
        help_text="looks at solutions of which the run says where the first mistake is, or none"
    )
    unmarked = serializers.IntegerField(help_text="solutions with a wrong answer and no marked mistake")
    persons = PersonSerializer(many=True)
    between = BetweenSerializer()
    agreement = AgreementSerializer(allow_null=True)
    kinds = KindsSerializer(allow_null=True)
    steps = StepsSerializer(allow_null=True)


class Progress(Endpoint):
    """How far a campaign is."""

    needs = (IsReviewer,)

    @extend_schema(responses={200: ProgressSerializer})
    def get(self, request: Request, pk: int) -> Response:
        campaign = campaign_or_404(self.person, pk)
        found = {**progress.counts(campaign), "days": progress.plot(campaign)}
        return Response(ProgressSerializer(found).data)


class Members(Endpoint):
    """Who may label in a campaign. The campaign's own `members` sets them."""

    needs = (IsReviewer,)

    @extend_schema(responses={200: MemberSerializer(many=True)})
    def get(self, request: Request, pk: int) -> Response:
        campaign = campaign_or_404(self.person, pk)
        return Response(MemberSerializer(progress.members(campaign), many=True).data)


class Comparison(Endpoint):
    """The figures of the comparison page: agreement of people, and of people with tree search."""

    needs = (IsReviewer,)
    asks = {"run": (), "of": (), "blind": ("0", "1")}

    @extend_schema(
        parameters=[
            OpenApiParameter("run", int, description="a run of estimates; the campaign's own if left out"),
            OpenApiParameter(
                "of", str, description="`gold`, or an annotator's username or id; everybody if left out"
            ),
            OpenApiParameter(
                "blind",
                str,
                enum=["0", "1"],
                default="0",
                description="beside the run, only looks that saw no machine label",
            ),
        ],
        responses={200: ComparisonSerializer},
    )
    def get(self, request: Request, pk: int) -> Response:
        lens = lens_for(_asked(request.query_params), pk)
        has_gold = Task.objects.filter(campaign=lens.campaign, gold__isnull=False).exists()
        found = overview(lens.campaign, lens.run, lens.against, has_gold)
        return Response(ComparisonSerializer(_figures(found, lens.run.pk if lens.run else None)).data)


def _asked(said: Mapping[str, str]) -> dict[str, str]:
    """What an address asks for in the page's words; raises BadRequest where the page would pass over it."""
    asked = dict(said.items())
    if "run" in asked:
        asked["run"] = str(asked_run(asked["run"], EstimateRun))
    if asked.get("of", "gold") != "gold":
        asked["of"] = str(_person(asked["of"]))
    return asked


def _person(asked: str) -> int:
    """The id of the person of this username or, where nobody has it, of this id."""
    if may_be_stored([asked]):
        for lookup in (Q(username=asked), Q(pk__in=wholes([asked]))):
            if person := User.objects.filter(lookup).first():
                return person.pk
    raise BadRequest(f"of={asked!r}, expected gold or the username of a person")


def _figures(found: Overview, run: int | None) -> dict[str, Any]:
    """The overview's numbers, with people by name; its charts are for the page."""
    persons, pairs = found.persons, found.between.pairs
    named = User.objects.in_bulk(
        {row.annotator for row in persons}
        | {person for pair in pairs for person in (pair.first, pair.second)}
    )

    fast = too_fast_among(persons, named)

    def name(annotator: int) -> str:
        return named[annotator].username if annotator in named else str(annotator)

    return {
        "run": run,
        "is_gold": found.is_gold,
        "looks": found.looks,
        "both": found.both,
        "unmarked": found.unmarked,
        "persons": [
            {
                **asdict(row),
                "annotator": name(row.annotator),
                "labels_excluded": row.annotator in named and named[row.annotator].labels_excluded,
                "is_too_fast": row.annotator in fast,
            }
            for row in persons
        ],
        "between": {
            "solutions_shared": found.between.solutions_shared,
            "differ": found.between.differ,
            "alpha": found.between.alpha,
            "percent": found.between.percent,
            "pairs": [
                {**asdict(pair), "first": name(pair.first), "second": name(pair.second)} for pair in pairs
            ],
        },
        "agreement": found.agreement,
        "kinds": found.kinds,
        "steps": found.steps,
    }
