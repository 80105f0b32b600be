from django.apps import AppConfig


class ComparisonConfig(AppConfig):
    name = "labelsite.comparison"
    default_auto_field = "django.db.models.BigAutoField"
