"""What a test that commits leaves to the next one."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType

from tests.emptying import empty_tables
from tests.factories import make_campaign, make_solution, make_task, make_user


@pytest.mark.django_db(transaction=True)
def test_no_row_stays_but_those_that_the_migrations_made() -> None:
    # Rows that point to each other, in tables with triggers and without.
    make_task(make_campaign(members=[make_user()]), make_solution(["One.", "Two."]))
    made = Permission.objects.count(), ContentType.objects.count()
    empty_tables()
    assert (Permission.objects.count(), ContentType.objects.count()) == made and all(made)
    left = {model for model in apps.get_models() if model._default_manager.exists()}
    assert left == {Permission, ContentType}
