import gc
import os

from django.core.wsgi import get_wsgi_application

from labelsite.environment import require_address

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelsite.settings")
require_address("DATABASE_URL")
application = get_wsgi_application()

from django.urls import get_resolver  # noqa: E402

from labelsite.durability import require_durability  # noqa: E402

require_durability()

# Views are imported before the first request instead of in it; some of them take most of a second.
assert get_resolver().url_patterns
# What is loaded now stays for good, so the garbage collector need not look at it again and again.
gc.freeze()
