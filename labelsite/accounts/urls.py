from django.contrib.auth.views import LogoutView
from django.urls import path

from labelsite.accounts import views

app_name = "accounts"
urlpatterns = [
    path("", views.home, name="home"),
    path("login/", views.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("language/", views.language, name="language"),
    path("theme/", views.theme, name="theme"),
    path("settings/", views.settings, name="settings"),
    path("settings/keys/", views.keys, name="keys"),
    path("settings/password/", views.password, name="password"),
    path("settings/tokens/", views.create_token, name="create_token"),
    path("settings/tokens/<int:pk>/revoke/", views.revoke_token, name="revoke_token"),
    path("people/", views.people, name="people"),
    path("people/changes/", views.changes, name="changes"),
    path("people/<int:pk>/", views.update_person, name="update_person"),
    path("people/<int:pk>/password/", views.new_password, name="new_password"),
]
