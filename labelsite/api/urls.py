from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from labelsite.api import (
    campaigns,
    checkpoints,
    decisions,
    estimates,
    figures,
    machine_lines,
    machines,
    removal,
    schema,
    scores,
    sections,
    snapshots,
    work,
)

app_name = "api"
version_1 = [
    path("campaigns/", campaigns.CampaignList.as_view(), name="campaigns"),
    path("campaigns/<int:pk>/", campaigns.CampaignDetail.as_view(), name="campaign"),
    path("campaigns/<int:pk>/next/", campaigns.NextTask.as_view(), name="next_task"),
    path("campaigns/<int:pk>/annotations/", campaigns.AnnotationLines.as_view(), name="annotation_lines"),
    path("campaigns/<int:pk>/decisions/", decisions.DecisionLines.as_view(), name="decision_lines"),
    path("campaigns/<int:pk>/progress/", figures.Progress.as_view(), name="progress"),
    path("campaigns/<int:pk>/comparison/", figures.Comparison.as_view(), name="comparison"),
    path("campaigns/<int:pk>/members/", figures.Members.as_view(), name="members"),
    path("campaigns/<int:pk>/queue/", machines.Queue.as_view(), name="queue"),
    path("campaigns/<int:pk>/tasks/<int:task>/", removal.CampaignTask.as_view(), name="task"),
    path("campaigns/<int:pk>/imports/", removal.CampaignImports.as_view(), name="campaign_imports"),
    path(
        "campaigns/<int:pk>/imports/<str:moment>/", removal.CampaignImport.as_view(), name="campaign_import"
    ),
    path("campaigns/<int:pk>/sections/", sections.Sections.as_view(), name="sections"),
    path(
        "campaigns/<int:pk>/members/<str:username>/sections/",
        sections.MemberSections.as_view(),
        name="member_sections",
    ),
    path("campaigns/<int:pk>/estimates/", estimates.CampaignEstimates.as_view(), name="campaign_estimates"),
    path("campaigns/<int:pk>/scores/", scores.CampaignScores.as_view(), name="campaign_scores"),
    path(
        "campaigns/<int:pk>/step-estimates/",
        machine_lines.StepEstimates.as_view(),
        name="step_estimate_lines",
    ),
    path("campaigns/<int:pk>/step-scores/", machine_lines.StepScores.as_view(), name="step_score_lines"),
    path("assignments/<int:pk>/heartbeat/", campaigns.Heartbeat.as_view(), name="heartbeat"),
    path("assignments/<int:pk>/draft/", campaigns.Draft.as_view(), name="draft"),
    path("annotations/", campaigns.Annotations.as_view(), name="annotations"),
    path("imports/", work.Imports.as_view(), name="imports"),
    path("jobs/", work.JobList.as_view(), name="jobs"),
    path("jobs/<int:pk>/", work.JobDetail.as_view(), name="job"),
    path("jobs/<int:pk>/cancel/", work.JobCancel.as_view(), name="job_cancel"),
    path("jobs/<int:pk>/retry/", work.JobRetry.as_view(), name="job_retry"),
    path("estimates/", estimates.EstimateList.as_view(), name="estimate_list"),
    path("estimates/<int:pk>/", estimates.Estimates.as_view(), name="estimates"),
    path("scores/", scores.ScoreList.as_view(), name="score_list"),
    path("scores/<int:pk>/", scores.Scores.as_view(), name="scores"),
    path("trainings/", machines.Trainings.as_view(), name="trainings"),
    path("trainings/<int:pk>/", machines.Training.as_view(), name="training"),
    path("checkpoints/", checkpoints.CheckpointList.as_view(), name="checkpoints"),
    path("checkpoints/<int:pk>/", checkpoints.CheckpointDetail.as_view(), name="checkpoint"),
    path(
        "checkpoints/<int:pk>/evaluations/", checkpoints.CheckpointEvaluations.as_view(), name="evaluations"
    ),
    path("evaluations/", checkpoints.EvaluationList.as_view(), name="evaluation_list"),
    path("snapshots/", snapshots.SnapshotList.as_view(), name="snapshots"),
    path("snapshots/<int:pk>/", snapshots.SnapshotDetail.as_view(), name="snapshot"),
    path("snapshots/<int:pk>/manifest/", snapshots.SnapshotManifest.as_view(), name="snapshot_manifest"),
    path("snapshots/<int:pk>/parts/<int:number>/", snapshots.SnapshotPart.as_view(), name="snapshot_part"),
    path("snapshots/<int:pk>/prm800k/", snapshots.SnapshotPrm800k.as_view(), name="snapshot_prm800k"),
    path("snapshots/<int:pk>/stepwise/", snapshots.SnapshotStepwise.as_view(), name="snapshot_stepwise"),
]
urlpatterns = [
    path("v1/", include(version_1)),
    path("schema/", SpectacularAPIView.as_view(permission_classes=[]), name="schema"),
    path("docs/", schema.documentation, name="documentation"),
]
