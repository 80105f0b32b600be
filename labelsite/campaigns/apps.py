from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "labelsite.campaigns"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # It listens for annotators who arrive.
        from labelsite.campaigns import membership  # noqa: F401
