"""What a Celery worker does besides running jobs: it says that it is alive."""

from __future__ import annotations

import contextlib
import importlib
import signal
import threading
from typing import Any

from celery.exceptions import WorkerTerminate
from celery.signals import celeryd_init, worker_init, worker_process_init, worker_ready, worker_shutdown
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.utils.translation import gettext_noop

from labelsite.celery import application
from labelsite.durability import require_durability
from labelsite.embedded.process import follow_parent
from labelsite.environment import ADDRESSES, require_address
from labelsite.jobs import services
from labelsite.jobs.errors import Why
from labelsite.jobs.models import Job
from labelsite.jobs.shared_folder import refusal_if_known
from labelsite.jobs.workers import Presence
from ml.said import Said

_presence: list[Presence] = []


@celeryd_init.connect
def _worker_is_configured(conf: Any, options: Any, **_: object) -> None:
    """One job at a time for whoever serves the gpu queue, unless asked otherwise: two trainings share no device."""
    queues = options.get("queues") or []
    # Text or list, by how the worker was started.
    served = queues.split(",") if isinstance(queues, str) else queues
    if "gpu" in served and not options.get("concurrency"):
        conf.worker_concurrency = 1


@worker_init.connect
def _worker_begins(**_: object) -> None:
    try:
        for address in ADDRESSES:
            require_address(address)
        require_durability()
        refused = refusal_if_known()
    except ImproperlyConfigured as unusable:
        refused = str(unusable)
    finally:
        # Pool processes are forked next; none may inherit an open connection.
        connection.close()
    if refused:
        # Celery only logs what else a signal's receiver raises.
        raise SystemExit(f"celery worker: {refused}")


@worker_ready.connect
def _worker_is_ready(sender: Any, **_: object) -> None:
    slots = int(getattr(sender.pool, "num_processes", None) or 1)
    presence = Presence(str(sender.hostname), list(sender.app.amqp.queues.consume_from), slots)
    presence.start()
    _presence.append(presence)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _end_soon)


def _end_soon(*_: object) -> None:
    """What Celery does on SIGQUIT: its tasks end now. On SIGTERM it would wait for them, which may take hours: whoever
    stops services would kill it and their children, and here a job that is cut short saves and is taken up again."""
    try:
        signal.raise_signal(signal.SIGQUIT)
    except NotImplementedError:
        # Celery cannot end a task that runs in the worker's own process (`-P solo`); this does.
        raise WorkerTerminate from None


@worker_process_init.connect
def _pool_process_starts(**_: object) -> None:
    # A pool process whose worker was killed would finish its job unseen, or, idle, wait for ever. It cannot even
    # end politely then (it would wait for its siblings' queue), and its job is safe in the row.
    follow_parent(signal.SIGKILL)


@worker_shutdown.connect
def _worker_is_leaving(**_: object) -> None:
    for presence in _presence:
        presence.stop()


def run_here(job: Job) -> None:
    """Run the job's own Celery task in this process, without a broker; fail the job if there is none."""
    application.loader.import_default_modules()
    if job.task_name not in application.tasks:
        # Not in an app's tasks.py: Celery registers a task when its module is imported.
        with contextlib.suppress(ImportError, ValueError):
            importlib.import_module(job.task_name.rpartition(".")[0])
    if job.task_name in application.tasks:
        application.tasks[job.task_name](job.pk)
    else:
        words = gettext_noop("This version of the site does not know the work %(task)s.")
        services.give_up(job, Why("unknown_work", Said(words, task=job.task_name)))
