"""The Celery application. A message is only a wake-up: the Job row is the truth."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelsite.settings")
application = Celery("labelsite")
application.config_from_object("django.conf:settings", namespace="CELERY")
application.autodiscover_tasks()
