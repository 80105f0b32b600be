"""`python -m ml VERB ...`: the doors to everything in `ml`; no Django, database or broker needed."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import warnings
from types import FrameType
from typing import Any

from ml.errors import MisstepError
from ml.progress import tell_refusal

VERBS = {
    "sample": "write solutions to problems with a policy",
    "solve": "answer problems by test-time search",
    "execute": "run the code of solutions in the sandbox",
    "autolabel": "estimate steps by rollouts or tree search",
    "snapshot": "freeze a file's labels into a folder to train from",
    "train": "train a process reward model from a snapshot",
    "average": "one checkpoint whose weights are the mean of several",
    "score": "score the steps of solutions with a checkpoint",
    "evaluate": "measure a process reward model",
    "curve": "measure what more labels teach, and what a human label is worth",
}

STATUSES = {
    0: "done",
    1: "the input is refused, or nothing can be written at --out",
    2: "unusable request, or the system failed it: a full disk, a file that may not be read",
    69: "a policy's server cannot be reached or is overloaded: start again later",
    75: "another process writes to the folder: start again later",
    130: "Ctrl-C ended it; sample, solve, autolabel, train, score and curve resume by the same command",
    143: "SIGTERM ended it; the same verbs resume",
}


def usage() -> str:
    """The verbs, where the docs are, and the exit statuses."""
    lines = [f"  {verb:<10} {meaning}" for verb, meaning in VERBS.items()]
    return (
        "usage: python -m ml VERB [options]\n\n"
        + "\n".join(lines)
        + "\n\npython -m ml VERB --help says more. The guides are docs/training.md, docs/autolabel.md and"
        " docs/evaluation.md;\ndocs/reference.md has all commands, docs/formats.md what files hold.\n\nexit statuses:\n"
        + "\n".join(f"  {status:<5} {meaning}" for status, meaning in STATUSES.items())
    )


def main(arguments: list[str]) -> int:
    """Run one verb; return the exit status, one of STATUSES."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0 if arguments else 2
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        print(f"python -m ml: there is no verb {verb!r}\n\n{usage()}", file=sys.stderr)
        return 2
    # Several threads that wait by spinning slow each other down on small machines (set before torch loads).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        module = importlib.import_module(f"ml.commands.{verb}")
        return int(module.main(rest) or 0)
    except MisstepError as refusal:
        print(f"python -m ml {verb}: {refusal}", file=sys.stderr)
        tell_refusal(refusal.as_said)
        return refusal.exit_status
    except OSError as problem:
        print(f"python -m ml {verb}: {_told(problem)}", file=sys.stderr)
        return 2


def _told(problem: OSError) -> str:
    """What went wrong and with which file, in one line."""
    words = problem.strerror or str(problem) or type(problem).__name__
    return f"{problem.filename}: {words}" if problem.filename else words


def end_at_once() -> None:
    """Let Ctrl-C end this process as SIGTERM does: else it would wait for the answers of a server that are under way,
    which may take minutes. What is done is kept as it is done.
    """
    # A shell that starts a command in the background has it ignored.
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, _end)


def _end(number: int, _: FrameType | None) -> None:
    os.write(2, b"python -m ml: stopped by Ctrl-C\n")
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


def warn_plainly(verb: str) -> None:
    """Let a warning be one line that says whose it is, without the place and the source line that raised it."""
    usual = warnings.formatwarning

    def plain(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> str:
        if category is not UserWarning:
            return usual(message, category, *where, **more)
        return f"python -m ml {verb}: {message}\n"

    warnings.formatwarning = plain


if __name__ == "__main__":
    end_at_once()
    warn_plainly(" ".join(sys.argv[1:2]))
    raise SystemExit(main(sys.argv[1:]))
