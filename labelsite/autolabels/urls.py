from django.urls import URLPattern, URLResolver

app_name = "autolabels"
urlpatterns: list[URLPattern | URLResolver] = []
