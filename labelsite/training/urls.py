from django.urls import path

from labelsite.training import views

app_name = "training"
urlpatterns = [
    path("", views.run_list, name="list"),
    path("start/", views.start, name="start"),
    path("compare/", views.compare, name="compare"),
    path("runs/<int:pk>/", views.run_detail, name="run"),
    path("checkpoints/<int:pk>/", views.checkpoint, name="checkpoint"),
    path("checkpoints/<int:pk>/score/", views.score, name="score"),
    path("checkpoints/<int:pk>/evaluate/", views.evaluate, name="evaluate"),
    path("scores/<int:pk>/", views.scores, name="scores"),
]
