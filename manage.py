"""Django's command line, with the embedded servers started first where no address is configured."""

from __future__ import annotations

import os
import sys

# These need no database, so they start none.
WITHOUT_SERVERS = {"", "help", "--help", "-h", "version", "--version", "collectstatic", "findstatic"} | {
    "makemessages",
    "compilemessages",
    "spectacular",
    "diffsettings",
}


def main() -> int:
    """Run one management command; return its exit status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelsite.settings")
    # A command opens one connection and is done; a pool would only slow its start.
    os.environ.setdefault("KEEP_CONNECTIONS", "0")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import DatabaseError

    from labelsite.embedded.errors import EmbeddedError
    from labelsite.embedded.supervisor import ensure
    from labelsite.embedded.tables import WITHOUT_TABLES, make_first_tables, why_in_a_line

    command = sys.argv[1] if len(sys.argv) > 1 else ""
    hold = None
    try:
        if command not in WITHOUT_SERVERS and not {"--help", "-h"} & set(sys.argv):
            hold = ensure()
    except EmbeddedError as refusal:
        if command != "doctor":
            print(f"manage.py {command}: {refusal}", file=sys.stderr)
            return 1
        # The doctor is there to say what is wrong, this too.
        os.environ["MISSTEP_EMBEDDED_PROBLEM"] = str(refusal)
    try:
        if hold and "postgres" in hold.urls and command not in WITHOUT_TABLES:
            make_first_tables()
        execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, DatabaseError) as problem:
        why = why_in_a_line(problem)
        if why is None:
            raise
        print(f"manage.py {command}: {why}", file=sys.stderr)
        return 1
    finally:
        if hold:
            hold.release()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
