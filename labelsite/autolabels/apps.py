from django.apps import AppConfig


class AutolabelsConfig(AppConfig):
    name = "labelsite.autolabels"
    default_auto_field = "django.db.models.BigAutoField"
