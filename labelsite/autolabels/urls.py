from django.urls import path

from labelsite.autolabels import starting, views

app_name = "autolabels"
urlpatterns = [
    path("", views.run_list, name="list"),
    path("search/", starting.search, name="search"),
    path("trees/", views.open_trees, name="open_trees"),
    path("<int:pk>/", views.run_detail, name="run"),
    path("<int:pk>/cancel/", views.cancel, name="cancel"),
    path("<int:pk>/resume/", views.resume, name="resume"),
    path("<int:pk>/answers/<int:answer>/", views.decide_answer, name="decide_answer"),
    path("<int:pk>/math-aps/", views.export_run, name="export_run"),
    path("trees/<int:pk>/", views.tree, name="tree"),
    path("trees/<int:pk>/nodes/<int:number>/", views.node, name="node"),
    path("trees/<int:pk>/math-aps/", views.export_tree, name="export_tree"),
]
