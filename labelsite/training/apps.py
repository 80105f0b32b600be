from django.apps import AppConfig


class TrainingConfig(AppConfig):
    name = "labelsite.training"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from labelsite.autolabels.value_models import offer
        from labelsite.training.guides import value_models

        offer(value_models)
