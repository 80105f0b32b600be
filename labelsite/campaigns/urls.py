from django.urls import path

from labelsite.campaigns import archive_views, queue_views, removal_views, section_views, views

app_name = "campaigns"
urlpatterns = [
    path("", views.campaigns, name="list"),
    path("mine/", views.mine, name="mine"),
    path("new/", views.create, name="create"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/settings/", views.change, name="settings"),
    path("<int:pk>/pause/", views.pause, name="pause"),
    path("<int:pk>/archive/", archive_views.put_away, name="archive"),
    path("<int:pk>/delete/", archive_views.delete, name="delete"),
    path("<int:pk>/reorder/", views.reorder, name="reorder"),
    path("<int:pk>/arrangement/", views.arrangement, name="arrangement"),
    path("<int:pk>/members/", views.members, name="members"),
    path("<int:pk>/members/<int:user_id>/", views.member_state, name="member_state"),
    path("<int:pk>/members/<int:user_id>/sections/", views.member_sections, name="member_sections"),
    path("<int:pk>/sections/", section_views.overview, name="sections"),
    path("<int:pk>/sections/rename/", section_views.rename, name="rename_section"),
    path("<int:pk>/sections/pick/", section_views.pick, name="pick_section"),
    path("<int:pk>/section/", views.choose_section, name="choose_section"),
    path("<int:pk>/tasks/", queue_views.tasks, name="tasks"),
    path("<int:pk>/tasks/<int:task_id>/remove/", removal_views.remove_task, name="remove_task"),
    path("<int:pk>/imports/", removal_views.imports, name="imports"),
    path("<int:pk>/imports/<str:moment>/", removal_views.undo_import, name="undo_import"),
]
