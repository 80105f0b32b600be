from django.urls import path

from labelsite.jobs import views

app_name = "jobs"
urlpatterns = [
    path("", views.job_list, name="list"),
    path("<int:pk>/", views.job_detail, name="detail"),
    path("<int:pk>/cancel/", views.cancel_job, name="cancel"),
    path("<int:pk>/retry/", views.retry_job, name="retry"),
]
