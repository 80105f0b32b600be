"""Rare collections in several threads: raised once, and put back by the last."""

import gc
from contextlib import ExitStack

import pytest

from labelsite.problems.streaming import rare_collections


@pytest.mark.parametrize("first_to_leave", [0, 1])
def test_streams_that_overlap_raise_the_threshold_once_and_the_last_puts_it_back(first_to_leave):
    usual = gc.get_threshold()
    streams = [ExitStack(), ExitStack()]
    for stream in streams:
        stream.enter_context(rare_collections())
        assert gc.get_threshold() == (usual[0] * 100, *usual[1:])
    streams[first_to_leave].close()
    assert gc.get_threshold()[0] == usual[0] * 100
    streams[1 - first_to_leave].close()
    assert gc.get_threshold() == usual
