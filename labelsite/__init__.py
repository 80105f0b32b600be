from labelsite.celery import application as celery_application

__all__ = ["celery_application"]
