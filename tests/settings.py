"""The site's own settings on a folder that lives as long as the test run.

The addresses are known before any server runs, so that a run that never touches the database starts none;
`tests/conftest.py` starts it when the first test asks for it. Set DATABASE_URL to test on another server.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.process_folder import claim_folder

# Its server does not wait for the disk; programs that a test starts on it inherit this.
os.environ.setdefault("REQUIRE_DURABILITY", "0")

if _folder := claim_folder():
    if "MISSTEP_TEST_EMBEDDED" in os.environ or "DATABASE_URL" not in os.environ:
        os.environ["MISSTEP_TEST_EMBEDDED"] = "1"
        os.environ["DATABASE_URL"] = f"postgresql://postgres@/misstep?host={_folder}/run"
    os.environ.setdefault("SECRET_KEY", "only-for-tests-" + Path(_folder).name * 3)

from labelsite.settings import *  # noqa: F403
from labelsite.settings import DATABASES, STATIC_ROOT

# WhiteNoise warns about a missing folder; tests are served from the sources.
STATIC_ROOT.mkdir(exist_ok=True)
# Every test client begins with middleware of its own, which would look at all sources before the first request.
WHITENOISE_AUTOREFRESH = True

# Threads of a live server each open a connection of their own; kept ones would keep the test database busy.
DATABASES["default"]["CONN_MAX_AGE"] = 0
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
