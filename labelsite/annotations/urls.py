from django.urls import URLPattern, URLResolver, include, path

from labelsite.annotations import coverage_views, exit_views, history_views, look_views, task_kinds, views

app_name = "annotations"
urlpatterns: list[URLPattern | URLResolver] = [
    path("import/", include("labelsite.annotations.import_urls")),
    path("annotate/<int:campaign_id>/", views.annotate, name="annotate"),
    path("annotate/<int:campaign_id>/next/", views.next_task, name="next"),
    path("annotate/task/<int:assignment_id>/draft/", views.draft, name="draft"),
    path("annotate/task/<int:assignment_id>/heartbeat/", views.heartbeat, name="heartbeat"),
    path("annotate/task/<int:assignment_id>/submit/", views.submit, name="submit"),
    path("annotate/annotation/<int:pk>/", history_views.edit, name="edit"),
    path("annotate/annotation/<int:pk>/undo/", history_views.undo, name="undo"),
    path("annotate/annotation/<int:pk>/revise/", history_views.revise, name="revise"),
    path("annotate/annotation/<int:pk>/second-look/", history_views.second_look, name="second_look"),
    path("annotate/<int:campaign_id>/quality/", history_views.quality, name="quality"),
    path("annotate/<int:campaign_id>/quality/<int:user_id>/", look_views.looks, name="looks"),
    path("campaigns/<int:campaign_id>/exits/", exit_views.exits, name="exits"),
    path("campaigns/<int:campaign_id>/tasks/<int:task_id>/one-more/", exit_views.one_more, name="one_more"),
    # What becomes of the task depends on its annotations.
    path("campaigns/<int:pk>/tasks/<int:task_id>/kind/", task_kinds.task_kind, name="task_kind"),
    path("people/<int:pk>/reopen/", coverage_views.reopen, name="reopen"),
    path("my-day/", history_views.my_day, name="my_day"),
]
