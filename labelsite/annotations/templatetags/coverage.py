"""What the page of people tells of those whose labels are excluded."""

from __future__ import annotations

from django import template

from labelsite.accounts.models import User
from labelsite.annotations.coverage import uncovered

register = template.Library()


@register.simple_tag
def uncovered_by(person: User) -> int:
    """How many finished tasks lack labels, because this person's are excluded."""
    return uncovered(person).count() if person.labels_excluded and not person.is_machine else 0
