"""Whether two texts differ by enough letters, without working out by how many."""

from __future__ import annotations


def is_far(left: str, right: str, least: int) -> bool:
    """Whether Levenshtein's distance of the two (insertions, deletions and substitutions, each 1) is at least `least`.

    A cell further from the diagonal than `least` stands for more edits than that, so only the band around it is
    filled: a whole solution takes as long as `least` times its letters, and not their square.
    """
    if abs(len(left) - len(right)) >= least:
        return True
    beyond = least
    row = {column: column for column in range(min(least, len(right) + 1))}
    for index, letter in enumerate(left, start=1):
        above, row = row, {}
        for column in range(max(0, index - least + 1), min(len(right), index + least - 1) + 1):
            if column == 0:
                row[column] = index
                continue
            changed = above.get(column - 1, beyond) + (letter != right[column - 1])
            row[column] = min(above.get(column, beyond) + 1, row.get(column - 1, beyond) + 1, changed, beyond)
        if min(row.values()) >= least:
            return True
    return row[len(right)] >= least
