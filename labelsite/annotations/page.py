"""What the annotation page needs besides the task: addresses, keys, and every word that its scripts say."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labelsite.accounts.keymap import ACTIONS, bindings, keys_of
from labelsite.accounts.models import User
from labelsite.annotations.history import last_one
from labelsite.campaigns.models import Campaign, Protocol

HEARTBEAT_SECONDS = 60
# The actions that a protocol does not have: the page's list of keys leaves them out.
_WITHOUT: dict[str, set[str]] = {
    Protocol.FIRST_MISTAKE: {"mark", "no_mistake", "write"},
    Protocol.INDEX_ONLY: {"bad", "neutral", "good", "unsure", "write"},
    Protocol.EVERY_OPTION: {"unsure", "mark", "no_mistake"},
}


def page_configuration(user: User, campaign: Campaign) -> dict[str, Any]:
    """Everything of the page that does not change from task to task."""
    return {
        "protocol": campaign.protocol,
        "asksReason": campaign.asks_reason,
        "guidelineVersion": campaign.guideline_version,
        "heartbeatSeconds": HEARTBEAT_SECONDS,
        "last": _last(user, campaign),
        "bindings": _bindings(user, campaign.protocol),
        "keys": keys_of(user),
        "actions": [
            {"name": name, "label": str(action.label)}
            for name, action in ACTIONS.items()
            if name not in _WITHOUT[campaign.protocol]
        ],
        "urls": {
            "page": reverse("annotations:annotate", args=[campaign.pk]),
            "edit": reverse("annotations:edit", args=[0]),
            "next": reverse("annotations:next", args=[campaign.pk]),
            "draft": reverse("annotations:draft", args=[0]),
            "heartbeat": reverse("annotations:heartbeat", args=[0]),
            "submit": reverse("annotations:submit", args=[0]),
            "undo": reverse("annotations:undo", args=[0]),
            "revise": reverse("annotations:revise", args=[0]),
            "secondLook": reverse("annotations:second_look", args=[0]),
        },
        "words": words(),
    }


def _bindings(user: User, protocol: str) -> dict[str, str]:
    """The keys that do something here: the browser keeps the others, such as Space, which scrolls.

    The key for a wrong step stays: where only the index is asked, it marks the step.
    """
    idle = _WITHOUT[protocol] - {"bad"}
    return {key: action for key, action in bindings(user).items() if action not in idle}


def _last(user: User, campaign: Campaign) -> dict[str, Any] | None:
    """The last submission as the page would know it, had it not been loaded since: undo and second look reach it."""
    last = last_one(user, campaign.pk)
    return None if last is None else {"annotation": last.pk, "secondLook": last.offers_second_look}


def words() -> dict[str, str | list[str]]:
    """The scripts' words; `{n}` and the like are filled in by the page, which takes the first of two for one."""
    return {
        "step": _("Step {n}"),
        "rateStep": _("Rate step {n}"),
        "rateAlternative": _("Rate alternative {n}"),
        "alternative": _("Alternative {n}"),
        "bad": _("wrong"),
        "neutral": _("okay"),
        "good": _("great"),
        "unsure": _("cannot say"),
        "markHere": _("First mistake is here"),
        "noMistake": _("No mistake in the solution"),
        "nowStep": _("Step {n} of {total}"),
        "nowAlternative": _("Alternative {n} of step {step}"),
        "needAll": _("Find the first mistake, or rate all steps."),
        "needIndex": _("Mark the first wrong step, or say that there is no mistake."),
        "needAlternatives": _("Rate the alternatives too."),
        "needOptions": _("Rate every option of step {n}."),
        "needReason": _("Say in a few words what is wrong with the step."),
        "needAdd": _("The step that you typed is not added yet: add it, or empty its field."),
        "ready": _("Ready: no mistake."),
        "readyMistake": _("Ready: first mistake at step {n}."),
        "mayWrite": _("Or write the step yourself."),
        "mayNotWrite": _("You can write a step of your own once every option here is wrong."),
        "readyWritten": _("Ready: ends with your own step."),
        "saved": _("Saved"),
        "saving": _("Saving…"),
        "offline": _("Not connected. Your work is kept in this browser; trying again in {n} s."),
        "sending": _("Submitting…"),
        "submitted": _("Submitted."),
        "secondLook": _("Second look"),
        "changedElsewhere": _("Changed on another device, and shown as it is there. Undo brings yours back."),
        "loggedOut": _("You are logged out. Log in again in another tab; nothing is lost."),
        "nothingToUndo": _("There is nothing to undo."),
        "undone": _("Undone."),
        "notUndone": _("Not connected, so nothing was undone. Try again once you are connected."),
        "codePrinted": _("printed"),
        "codeFailed": _("the code failed"),
        "codeNotRun": _("the code was not run"),
        "codeSilent": _("ran, and printed nothing"),
        "writtenStep": _("Your own step {n}"),
        "machineNone": _("no machine label"),
        "visits": [ngettext("{n} visit", "{n} visits", n) for n in (1, 2)],
        "score": _("PRM {n}"),
        "lit": [
            ngettext("“{term}” stands {n} time in this task.", "“{term}” stands {n} times in this task.", n)
            for n in (1, 2)
        ],
        "calculatorError": _("This cannot be worked out."),
        "calculatorComma": _("A comma parts thousands, as in 1,200. Write a decimal with a point."),
        "calculatorTwoNumbers": _(
            "Two numbers stand side by side, or one has two points: write what belongs between them."
        ),
        "calculatorPercent": _("This can be read in two ways: write 10% - 3 or 10 % (-3)."),
        "holdEnded": _(
            "Your hold on this task ended, and somebody else may have taken it. What you did is kept until the task "
            "comes back to you. You may still try to submit it."
        ),
        "goOn": _("Go on to the next task"),
        "keptDraft": _("Your draft from before is open again."),
    }
