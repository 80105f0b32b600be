from django.urls import path

from labelsite.snapshots import views

app_name = "snapshots"
urlpatterns = [
    path("", views.snapshot_list, name="list"),
    path("<int:pk>/", views.snapshot_detail, name="detail"),
    path("<int:pk>/manifest.json", views.download_manifest, name="manifest"),
    path("<int:pk>/parts/<int:number>/", views.download_part, name="part"),
    path("<int:pk>/annotations.jsonl", views.download_annotations, name="annotations"),
    path("<int:pk>/prm800k.jsonl", views.download_prm800k, name="prm800k"),
    path("<int:pk>/stepwise.jsonl", views.download_stepwise, name="stepwise"),
]
