from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "labelsite.accounts"
    default_auto_field = "django.db.models.BigAutoField"
