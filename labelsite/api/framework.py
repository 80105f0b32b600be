"""How Django REST framework serves the API, and drf-spectacular describes it."""

from __future__ import annotations

REST = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "labelsite.accounts.tokens.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.CursorPagination",
    "PAGE_SIZE": 50,
}
DESCRIPTION = {
    "TITLE": "Misstep",
    "DESCRIPTION": "Step labels for process reward models.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "labelsite.api.schema.tell_refusals",
    ],
}
