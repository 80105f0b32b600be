from django.urls import path

from labelsite.comparison import views

app_name = "comparison"
urlpatterns = [
    path("campaigns/<int:campaign_id>/comparison/", views.campaign, name="campaign"),
    path(
        "campaigns/<int:campaign_id>/comparison/disagreements/",
        views.disagreement_list,
        name="disagreements",
    ),
    path("campaigns/<int:campaign_id>/comparison/tasks/<int:task_id>/", views.task, name="task"),
    path("campaigns/<int:campaign_id>/comparison/estimate/", views.estimate, name="estimate"),
]
