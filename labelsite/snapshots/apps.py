from django.apps import AppConfig


class SnapshotsConfig(AppConfig):
    name = "labelsite.snapshots"
    default_auto_field = "django.db.models.BigAutoField"
