"""Whether texts are far apart, without the whole of Levenshtein's table."""

import random
import time

from ml.edit_distance import is_far


def edit_distance(left: str, right: str) -> int:
    """Levenshtein's distance: insertions, deletions and substitutions, each 1."""
    row = list(range(len(right) + 1))
    for index, letter in enumerate(left, start=1):
        previous, row[0] = row[0], index
        for column, other in enumerate(right, start=1):
            previous, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, previous + (letter != other)),
            )
    return row[-1]


def test_edit_distance_counts_insertions_deletions_and_substitutions():
    for one, other, distance in (("kitten", "sitting", 3), ("", "abc", 3), ("same", "same", 0)):
        assert edit_distance(one, other) == distance
        assert is_far(one, other, distance) and not is_far(one, other, distance + 1)


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
