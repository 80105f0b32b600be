"""One file of settings. Every knob is an environment variable; a bad value fails loudly at start."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from labelsite.api import framework
from labelsite.environment import flag, job_lease, listed, var_folder, whole_number

BASE_DIR = Path(__file__).resolve().parent.parent

# Bounds, below a job's lease, on waiting for a server whose machine is gone without a word: its runner would
# otherwise wait for minutes, and never learn that it has lost the job. They say nothing about long statements,
# and nothing on a Unix socket. Seconds, but for tcp_user_timeout (milliseconds).
NETWORK_WAITS = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "tcp_user_timeout": "30000",
}


def database_from(url: str) -> dict[str, Any]:
    """Django's settings for `postgresql://user:password@host:port/name?host=/socket/folder`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # What stands where a port should may be the end of a password that is not escaped: not a word of it.
        raise ImproperlyConfigured(
            "DATABASE_URL cannot be read, expected postgresql://user:password@host:port/name with a number as port, "
            "and percent signs for odd characters in the password (%2F for /)"
        ) from None
    if parts.scheme not in ("postgres", "postgresql"):
        raise ImproperlyConfigured(f"DATABASE_URL has the scheme {parts.scheme!r}, expected postgresql")
    options: dict[str, Any] = NETWORK_WAITS | dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", parts.hostname or ""),
        "PORT": str(port or options.pop("port", "")),
        "OPTIONS": options,
        # The web's threads keep their connections; 0 opens one per use, right for short commands and workers.
        "CONN_MAX_AGE": None if flag("KEEP_CONNECTIONS", True) else 0,
        # A kept one is asked for its health before a request's first statement, unless that can be said twice: the
        # reading of a session is (labelsite/accounts/sessions.py), so most requests cost no further round trip.
        "CONN_HEALTH_CHECKS": True,
    }


def secret_key() -> str:
    """SECRET_KEY, or one made at first start and kept readable by the owner only."""
    if key := os.environ.get("SECRET_KEY"):
        if len(key) < 32:
            raise ImproperlyConfigured("SECRET_KEY is shorter than 32 characters")
        return key
    kept = VAR / "secret_key"
    if not kept.exists():
        _make_key(kept)
    key = kept.read_text().strip()
    if len(key) < 32:
        raise ImproperlyConfigured(
            f"{kept} holds fewer than 32 characters; delete it, and a start makes another"
        )
    return key


def _make_key(path: Path) -> None:
    """Put a key there, whole or not at all. Of several first starts at once, one makes the key of all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        handle = os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        _name_unless_there(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _name_unless_there(beside: Path, path: Path) -> None:
    """Unlike a rename, this leaves a key that came first."""
    try:
        os.link(beside, path)
    except FileExistsError:
        return
    except OSError:
        # Not every file system has hard links; there a second start in the same moment could take the first one's key.
        if not path.exists():
            os.replace(beside, path)


# Folder of everything that Misstep writes: databases, snapshots, checkpoints, logs.
VAR = var_folder()
SECRET_KEY = secret_key()
DEBUG = flag("DEBUG", False)
ALLOWED_HOSTS = listed("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = listed("TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "labelsite.embedded",
    # Before Django's own, whose `changepassword` it replaces: of two commands of one name the first app's is run.
    "labelsite.accounts",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "labelsite.problems",
    "labelsite.jobs",
    "labelsite.autolabels",
    "labelsite.campaigns",
    "labelsite.annotations",
    "labelsite.comparison",
    "labelsite.snapshots",
    "labelsite.training",
    "labelsite.api",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "labelsite.accounts.middleware.PersonMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "labelsite.accounts.middleware.ContentSecurityPolicyMiddleware",
    "labelsite.accounts.middleware.PartOrPageMiddleware",
    "labelsite.accounts.middleware.LoggedOutMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "labelsite.urls"
WSGI_APPLICATION = "labelsite.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
            ],
            "libraries": {"static_files": "labelsite.static_files"},
            "loaders": [
                ("django.template.loaders.cached.Loader", ["django.template.loaders.filesystem.Loader"])
            ],
        },
    }
]

# 0 where a connection pooler between here and PostgreSQL gives each transaction another server connection.
PREPARED_STATEMENTS = flag("PREPARED_STATEMENTS", True)
DATABASES = {"default": database_from(os.environ.get("DATABASE_URL", "postgresql:///misstep"))}
# A cursor in the server lives in one of its connections, as a prepared statement does.
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = not PREPARED_STATEMENTS

# 0 where a server says that it does not wait for its disk because its storage does so for it.
REQUIRE_DURABILITY = flag("REQUIRE_DURABILITY", True)

# Constraints in SQL are meant for the database; that forms do not also check them is no news.
SILENCED_SYSTEM_CHECKS = ["models.W045"]

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_ENGINE = "labelsite.accounts.sessions"
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "accounts:home"
LOGOUT_REDIRECT_URL = "accounts:login"

# Django itself writes errors to a mail for admins or, with DEBUG, to the terminal: on a server they would be lost.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": [], "level": "WARNING"},
        # What `manage.py runserver` says of each request.
        "django.server": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        # A page that is not there, or not open to somebody, is no trouble of the site's.
        "django.request": {"level": "ERROR"},
    },
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ko", "한국어")]
LOCALE_PATHS = [BASE_DIR / "labelsite" / "locale"]
TIME_ZONE = os.environ.get("TIME_ZONE", "UTC")
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "labelsite" / "static"]
STATIC_ROOT = VAR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "labelsite.static_files.HashedFiles"},
}
# What collectstatic has gathered comes with a compressed copy; without it (tests) the sources are served.
WHITENOISE_USE_FINDERS = not (STATIC_ROOT / "app.css").exists()
MEDIA_ROOT = VAR / "uploads"
FILE_UPLOAD_HANDLERS = [
    "labelsite.uploading.OnlyFromAdmins",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "labelsite.uploading.BesideTheUploads",
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 2**20

CONTENT_SECURITY_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "worker-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
# HTTPS=1 says that a proxy in front speaks TLS; cookies and redirects then insist on it.
HTTPS = flag("HTTPS", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
# Both reach further than this site, and last: other names below the domain, and lists that come with browsers.
SECURE_HSTS_PRELOAD = HTTPS and flag("HSTS_PRELOAD", False)
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS and (SECURE_HSTS_PRELOAD or flag("HSTS_SUBDOMAINS", False))
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

BROKER_URL = os.environ.get("BROKER_URL", "")
CELERY_BROKER_URL = BROKER_URL or "memory://"
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# The database row is the truth and the poller finds it again, so a message may be acknowledged early.
CELERY_TASK_ACKS_LATE = False
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
}

REST_FRAMEWORK, SPECTACULAR_SETTINGS = framework.REST, framework.DESCRIPTION

# Seconds that a task stays with a person without a heartbeat, of which the page sends one a minute.
LEASE_SECONDS = whole_number("LEASE_SECONDS", 20 * 60, least=120)

# A job waits in one of these; a worker serves one or more of them.
JOB_QUEUES = ("default", "gpu")
# A running job's claim: how long it lasts, and how often its runner renews it.
JOB_LEASE_SECONDS, JOB_HEARTBEAT_SECONDS = job_lease()
