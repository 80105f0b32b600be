from django.urls import URLPattern, URLResolver

app_name = "comparison"
urlpatterns: list[URLPattern | URLResolver] = []
