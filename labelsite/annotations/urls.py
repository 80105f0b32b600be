from django.urls import URLPattern, URLResolver, include, path

app_name = "annotations"
urlpatterns: list[URLPattern | URLResolver] = [
    path("import/", include("labelsite.annotations.import_urls")),
]
