"""What a run has found so far, as its progress shows it."""

from __future__ import annotations

import pytest

from ml.search.totals import Totals

NOTHING_ELSE: dict[str, object] = {
    "cost": {}, "sandbox_executions": {}, "infrastructure": 0, "texts": {},
    "disputed": None, "decided": 0, "ungraded": 0,
}  # fmt: skip


@pytest.mark.parametrize("low", [-1.0, 0.0])
def test_each_value_is_counted_in_the_bin_whose_lower_end_it_is(low):
    ends = [round(low + (1 - low) * place / 10, 1) for place in range(10)]
    totals = Totals(lowest_q=low)
    steps = [{"q_value": end} for end in [*ends, 1.0, None]]
    totals.add({**NOTHING_ELSE, "estimate": {"first_mistake": None, "steps": steps}})
    assert totals.q_histogram == [*[1] * 9, 2]
