from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "labelsite.campaigns"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from labelsite.accounts.services import ARRIVALS
        from labelsite.campaigns.membership import join

        ARRIVALS.append(join)
