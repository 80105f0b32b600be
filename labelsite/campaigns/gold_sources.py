"""Whose word a task's gold is, in the reader's language, from what its row keeps."""

from __future__ import annotations

from django.utils.translation import gettext, gettext_lazy

DECIDED = "adjudicated by "
# As long as a task's word on where its gold comes from may be.
SOURCE_LENGTH = 40
WORDS = {
    "checker": gettext_lazy("checker"),
    "reviewer": gettext_lazy("reviewer"),
}


def decided_by(username: str) -> str:
    """What a task keeps of gold that a reviewer decided; of a long name only the beginning."""
    return f"{DECIDED}{username}"[:SOURCE_LENGTH]


def source_in_words(source: str) -> str:
    """A name of somebody else's, from a file or a script, stays as it is."""
    if source.startswith(DECIDED):
        return gettext("decided by %(name)s") % {"name": source.removeprefix(DECIDED)}
    return str(WORDS.get(source, source))
