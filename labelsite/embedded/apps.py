from django.apps import AppConfig


class EmbeddedConfig(AppConfig):
    name = "labelsite.embedded"
    default_auto_field = "django.db.models.BigAutoField"
