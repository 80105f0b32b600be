"""The site map: one line an app, in the order in which data flows."""

from django.urls import include, path

urlpatterns = [
    # First, because most requests are an annotator's, and patterns are tried from the top.
    path("", include("labelsite.annotations.urls")),
    path("", include("labelsite.accounts.urls")),
    path("jobs/", include("labelsite.jobs.urls")),
    path("autolabels/", include("labelsite.autolabels.urls")),
    path("campaigns/", include("labelsite.campaigns.urls")),
    path("", include("labelsite.comparison.urls")),
    path("snapshots/", include("labelsite.snapshots.urls")),
    path("training/", include("labelsite.training.urls")),
    path("api/", include("labelsite.api.urls")),
]
# Also what a script asks for in vain is answered in its own language.
handler404 = "labelsite.api.problems.page_not_found"
