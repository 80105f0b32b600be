"""The annotator's keys: what they do, their default, and each person's own choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labelsite.accounts.models import User


@dataclass(frozen=True, slots=True)
class Action:
    """What a key does. `also` are fixed second keys that work as long as nobody remaps onto them."""

    label: str | Promise
    key: str
    also: tuple[str, ...] = ()


# Keys are written as KeyboardEvent.key, so a keyboard layout that moves a letter moves the shortcut with it.
ACTIONS: dict[str, Action] = {
    "bad": Action(gettext_lazy("rate the step -1 (wrong)"), "1", ("-",)),
    "neutral": Action(gettext_lazy("rate the step 0 (okay)"), "2", ("0",)),
    "good": Action(gettext_lazy("rate the step +1 (great)"), "3", ("+", "=")),
    "unsure": Action(gettext_lazy("cannot say (alternatives only)"), "4"),
    "next": Action(gettext_lazy("next step"), "j", ("ArrowDown",)),
    "previous": Action(gettext_lazy("previous step"), "k", ("ArrowUp",)),
    "mark": Action(gettext_lazy("mark this step as the first mistake"), "x", (" ",)),
    "no_mistake": Action(gettext_lazy("no mistake in the solution"), "c"),
    "write": Action(gettext_lazy("write a step of your own"), "w"),
    "undo": Action(gettext_lazy("undo"), "u"),
    "second_look": Action(gettext_lazy("second look at what was just submitted"), "v"),
    "submit": Action(gettext_lazy("submit and next"), "Enter"),
    "bad_problem": Action(gettext_lazy("report a bad problem"), "b"),
    "give_up": Action(gettext_lazy("give up"), "g"),
    "notes": Action(gettext_lazy("note on this step"), "/"),
    "calculator": Action(gettext_lazy("calculator"), "q"),
    "find": Action(gettext_lazy("light up a word everywhere"), "f"),
    "guideline": Action(gettext_lazy("guideline and decision chart"), "i"),
    "help": Action(gettext_lazy("show the keys"), "?"),
}
NAMED_KEYS = (
    "Enter",
    "Space",
    "Backspace",
    "Delete",
    "Home",
    "End",
    "PageUp",
    "PageDown",
    "ArrowUp",
    "ArrowDown",
    "ArrowLeft",
    "ArrowRight",
)


class KeyClash(Exception):
    """One key would do two things, or is not a key that can be used."""


def keys_of(user: User) -> dict[str, str]:
    """Each action's key for this person."""
    chosen: Mapping[str, str] = user.preferences.get("keys", {})
    return {name: chosen.get(name, action.key) for name, action in ACTIONS.items()}


def checked(chosen: Mapping[str, str]) -> dict[str, str]:
    """The whole key map with `chosen` laid over the defaults; raises KeyClash."""
    keys = {name: (chosen.get(name) or action.key).strip() or action.key for name, action in ACTIONS.items()}
    owner: dict[str, str] = {}
    for name, key in keys.items():
        if len(key) != 1 and key not in NAMED_KEYS:
            raise KeyClash(_("“%(key)s” is not one key.") % {"key": key})
        if key in owner:
            raise KeyClash(
                _("The key “%(key)s” would do two things: %(first)s, and %(second)s.")
                % {"key": key, "first": ACTIONS[owner[key]].label, "second": ACTIONS[name].label}
            )
        owner[key] = name
    return keys


def bindings(user: User) -> dict[str, str]:
    """From KeyboardEvent.key to action, second keys included where nobody remapped onto them."""
    keys = keys_of(user)
    table = {second: name for name, action in ACTIONS.items() for second in action.also}
    table.update({(" " if key == "Space" else key): name for name, key in keys.items()})
    return table
