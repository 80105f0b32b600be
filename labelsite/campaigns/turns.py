"""One person's claims and submissions take turns, whatever number of tabs they come from."""

from __future__ import annotations

from labelsite.statements import Statement

# What comes behind it in the transaction is planned once per connection: planning a claim takes longer than the claim.
_WAIT = Statement(
    "SELECT set_config('plan_cache_mode', 'force_generic_plan', true),"
    " pg_advisory_xact_lock(hashtextextended('misstep leases of ' || %(annotator)s::bigint, 0))"
)


def wait_for_turn(annotator: int) -> None:
    """Keeps the person's other claims and submissions waiting until the transaction ends.

    A statement of its own: the next one then sees what those before it have committed.
    """
    _WAIT.row(annotator=annotator)
