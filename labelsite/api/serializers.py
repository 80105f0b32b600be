"""The shapes that go in and out of the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers

from labelsite.accounts.models import User
from labelsite.annotations.models import FinishReason
from labelsite.api.known_fields import Choice, OnlyKnownFields
from labelsite.campaigns.models import SECTION_LENGTH, Campaign, Protocol
from labelsite.jobs.models import Job
from labelsite.snapshots.models import Snapshot
from labelsite.storable import LARGEST_ID
from ml import formats

ANNOTATOR_FIELDS = (
    "id",
    "name",
    "protocol",
    "exposure",
    "guideline",
    "guideline_version",
    "asks_reason",
    "allows_editing",
    "shows_reference_solution",
    "is_paused",
    "created_at",
)
SETTINGS = (
    "name",
    "protocol",
    "exposure",
    "ordering",
    "guideline",
    "overlap",
    "adaptive_overlap",
    "shows_reference_solution",
    "shows_agreement",
    "asks_reason",
    "allows_editing",
    "gold_rate",
    "screening_size",
    "screening_threshold",
    "generation",
    "is_for_everyone",
    "is_paused",
    "is_archived",
)


class ProblemSerializer(serializers.Serializer[Any]):
    """An error."""

    type = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="for programs")
    detail = serializers.CharField(help_text="for people")
    errors = serializers.DictField(  # type: ignore[assignment]
        required=False, help_text="what is wrong with each field"
    )
    reason = serializers.CharField(required=False, help_text="what keeps a task in its campaign")


class CampaignForAnnotators(serializers.ModelSerializer[Campaign]):
    """What an annotator may know: nothing of gold, of screening, or of machines."""

    class Meta:
        model = Campaign
        fields = ANNOTATOR_FIELDS
        read_only_fields = ANNOTATOR_FIELDS


class CampaignSerializer(OnlyKnownFields, serializers.ModelSerializer[Campaign]):
    """A campaign with all its settings. `members` are usernames."""

    serializer_choice_field = Choice

    overlap = serializers.IntegerField(min_value=1, max_value=100, required=False)
    gold_rate = serializers.FloatField(min_value=0, max_value=1, required=False)
    screening_threshold = serializers.FloatField(min_value=0, max_value=1, required=False)
    members = serializers.SlugRelatedField(
        slug_field="username",
        queryset=User.objects.who_can_log_in(),
        many=True,
        write_only=True,
        required=False,
    )

    class Meta:
        model = Campaign
        fields = ("id", *SETTINGS, "guideline_version", "estimate_run", "score_run", "created_at", "members")
        read_only_fields = ("id", "guideline_version", "estimate_run", "score_run", "created_at")


class JobSerializer(serializers.ModelSerializer[Job]):
    """A piece of long work; poll it until `state` is done, failed or cancelled."""

    title = serializers.CharField(source="said")
    error = serializers.CharField(source="failure")
    error_code = serializers.CharField(source="failure.code")
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)

    class Meta:
        model = Job
        fields = read_only_fields = (
            "id",
            "title",
            "verb",
            "queue",
            "state",
            "attempt",
            "progress",
            "result",
            "error",
            "error_code",
            "created_by",
            "created_at",
            "started_at",
            "finished_at",
        )


class ImportRequest(OnlyKnownFields):
    file = serializers.FileField(help_text="JSON Lines, plain or gzip", allow_empty_file=True)
    campaign = serializers.CharField(max_length=120, help_text="made when there is none of that name")
    section = serializers.CharField(
        max_length=SECTION_LENGTH,
        default="",
        allow_blank=True,
        help_text="the part of the campaign for new tasks",
    )
    begins_paused = serializers.BooleanField(
        default=False, help_text="a campaign that this makes gives out nothing until somebody lets it go on"
    )
    format = Choice(choices=list(formats.FORMATS), required=False, help_text="guessed when missing")


class SnapshotSerializer(serializers.ModelSerializer[Snapshot]):
    """A frozen body of labels. `parts` counts the files that `parts/N/` gives."""

    campaign = serializers.IntegerField(source="campaign_id")
    counts = serializers.DictField(source="manifest.counts")
    filters = serializers.DictField(source="manifest.filters")
    rule = serializers.DictField(source="manifest.rule")
    parts = serializers.SerializerMethodField()

    class Meta:
        model = Snapshot
        fields = (
            "id",
            "name",
            "campaign",
            "labels",
            "sha256",
            "counts",
            "filters",
            "rule",
            "parts",
            "created_at",
        )
        read_only_fields = fields

    def get_parts(self, snapshot: Snapshot) -> int:
        return len(snapshot.manifest["parts"])


class OptionSerializer(serializers.Serializer[Any]):
    """One candidate step. `machine` is there only in an assisted task."""

    id = serializers.IntegerField()
    position = serializers.IntegerField()
    text = serializers.CharField()
    chosen = serializers.BooleanField(help_text="whether the solution goes through it")
    output = serializers.CharField(allow_null=True, help_text="what its code printed")
    verdict = serializers.CharField(allow_null=True)
    machine = serializers.DictField(required=False, allow_null=True)


class TaskSerializer(serializers.Serializer[Any]):
    """A task in your hand. Send `token` with everything that you do to it."""

    assignment = serializers.IntegerField()
    task = serializers.IntegerField()
    token = serializers.UUIDField()
    draft = serializers.DictField()
    version = serializers.IntegerField(help_text="of the draft")
    assisted = serializers.BooleanField()
    attempt = serializers.IntegerField(help_text="how often it was given to you, this time included")
    why = serializers.CharField(help_text="why it comes now; empty where nothing may be said of it")
    problem = serializers.CharField()
    answer = serializers.CharField(allow_null=True)
    reference = serializers.CharField(allow_null=True)
    options = OptionSerializer(many=True)
    protocol = serializers.CharField()
    asks_reason = serializers.BooleanField(help_text="whether a mistake needs words")
    guideline_version = serializers.IntegerField()


class ReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(help_text="`busy` says to ask again in a few seconds")
    text = serializers.CharField()


class NothingSerializer(serializers.Serializer[Any]):
    """No task, and the reason why there is none."""

    nothing = ReasonSerializer()


TASK_OR_NOTHING = PolymorphicProxySerializer(
    "NextTask", serializers=[TaskSerializer, NothingSerializer], resource_type_field_name=None
)


class HeldRequest(OnlyKnownFields):
    token = serializers.UUIDField()


class HeldSerializer(serializers.Serializer[Any]):
    held = serializers.BooleanField()


class DraftRequest(HeldRequest):
    version = serializers.IntegerField(min_value=0, help_text="the version that you have seen")
    draft = serializers.DictField()


class DraftSerializer(HeldSerializer):
    version = serializers.IntegerField()


class RatingRequest(OnlyKnownFields):
    step = serializers.IntegerField(help_text="an option's id")
    rating = serializers.IntegerField(min_value=-1, max_value=1, allow_null=True)
    flagged = serializers.BooleanField(required=False)
    milliseconds = serializers.IntegerField(min_value=0, required=False, allow_null=True)
    note = serializers.CharField(required=False, allow_blank=True)


class JudgementRequest(OnlyKnownFields):
    finish_reason = Choice(choices=FinishReason.choices)
    reason = serializers.CharField(required=False, allow_blank=True)
    ratings = RatingRequest(many=True, required=False)
    first_mistake = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="a position, counted from 0: the whole judgement in the `index_only` protocol, and needless in the"
        " others; refused where the ratings say another one",
    )
    written = serializers.ListField(child=serializers.CharField(), required=False)
    total_time_ms = serializers.IntegerField(min_value=0, required=False, allow_null=True)
    guideline_version = serializers.IntegerField(
        required=False, allow_null=True, help_text="the version that the person saw; the newest if left out"
    )
    protocol = Choice(
        choices=Protocol.choices,
        required=False,
        allow_null=True,
        help_text="the task's, as it was given out; refused where the campaign has another one now",
    )


class AnnotationRequest(HeldRequest):
    """The key may stand in the header `Idempotency-Key` instead.

    Sending the same again changes nothing; another judgement under the same key is refused.
    """

    assignment = serializers.IntegerField(min_value=1, max_value=LARGEST_ID)
    idempotency_key = serializers.UUIDField(required=False)
    judgement = JudgementRequest()


class AnnotationSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    revision = serializers.IntegerField()
    finish_reason = serializers.CharField()
    first_mistake = serializers.IntegerField(allow_null=True)
    trajectory = serializers.ListField(child=serializers.IntegerField())
    created_at = serializers.DateTimeField()
