from django.urls import path

from labelsite.annotations import import_views as views

urlpatterns = [
    path("", views.upload_file, name="import"),
    path("<uuid:identity>/", views.import_preview, name="import_preview"),
    path("<uuid:identity>/start/", views.start_import, name="import_start"),
    path("<uuid:identity>/discard/", views.discard_upload, name="import_discard"),
]
