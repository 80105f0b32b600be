"""A tree of tokens that takes in others of the same problem: equal steps behind equal steps are one node."""

from __future__ import annotations

from collections.abc import Sequence

from ml.prm.packing import TokenTree
from ml.prm.tokens import Tokens, compact


class GrowingTree:
    """One problem's tree while it grows. Steps are equal whose tokens are: what the model reads, and not their text."""

    def __init__(self, root: Sequence[int]) -> None:
        self.tokens: list[Tokens] = [compact(root)]
        self.parents = [-1]
        self.size = len(root)
        # The node of a step below a node.
        self._known: dict[tuple[int, bytes], int] = {}

    def has_room_for(self, tree: TokenTree, limit: int) -> bool:
        """Whether there would be at most `limit` tokens with this tree; it is never cut, however large it is alone."""
        return self.size + self._missing(tree) <= max(limit, tree.size)

    def add(self, tree: TokenTree) -> list[int]:
        """Take in a tree behind the same root; returns the node here of each of its nodes."""
        own = [0]
        for step, parent in zip(tree.tokens[1:], tree.parents[1:], strict=True):
            tokens = compact(step)
            key = (own[parent], tokens.tobytes())
            place = self._known.get(key)
            if place is None:
                place = self._known[key] = len(self.tokens)
                self.tokens.append(tokens)
                self.parents.append(own[parent])
                self.size += len(step)
            own.append(place)
        return own

    def tree(self) -> TokenTree:
        """All that was taken in."""
        return TokenTree(self.tokens, self.parents)

    def _missing(self, tree: TokenTree) -> int:
        """How many tokens the tree would add."""
        own, added = [0], 0
        fresh: dict[tuple[int, bytes], int] = {}
        for step, parent in zip(tree.tokens[1:], tree.parents[1:], strict=True):
            key = (own[parent], compact(step).tobytes())
            place = self._known.get(key, fresh.get(key))
            if place is None:
                # Below 0 no node of this tree has its number.
                place = fresh[key] = -1 - len(fresh)
                added += len(step)
            own.append(place)
        return added
