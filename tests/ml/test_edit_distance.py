"""Whether texts are far apart, without the whole of Levenshtein's table."""

import random
import time

from ml.edit_distance import is_far
from ml.search.pairs import edit_distance


def test_the_band_says_what_the_whole_table_says():
    draw = random.Random(0)
    for _ in range(2000):
        one, other = ("".join(draw.choice("ab") for _ in range(draw.randint(0, 12))) for _ in range(2))
        least = draw.randint(1, 8)
        assert is_far(one, other, least) == (edit_distance(one, other) >= least), (one, other, least)


def test_long_solutions_take_no_longer_than_the_band_is_wide():
    text = "12 + 34 = 46\n" * 400
    began = time.perf_counter()
    assert not is_far(text, text[:-1] + "!", 20)
    # The whole table has 27 million cells, which take ten seconds.
    assert time.perf_counter() - began < 2
