from django.apps import AppConfig
from django.db.models.signals import post_migrate


class JobsConfig(AppConfig):
    name = "labelsite.jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from labelsite.jobs.shared_folder import settle_identity

        post_migrate.connect(settle_identity, sender=self, dispatch_uid="the site's identity")
