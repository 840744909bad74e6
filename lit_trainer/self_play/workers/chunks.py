"""Cuts an iteration's games into chunks for the workers."""

from __future__ import annotations

import math
from collections.abc import Mapping


class ChunkPlanner:
    """Cuts an iteration's plan into chunks.

    A chunk holds whole games, so each opponent's share is rounded. The next chunk makes up for it: over all chunks,
    also a rare opponent is met as often as planned, within one game.

    >>> planner = ChunkPlanner()
    >>> [planner.next({"a": 7, "b": 1}, 2) for _ in range(4)]
    [{'a': 2}, {'a': 2}, {'a': 1, 'b': 1}, {'a': 2}]
    """

    def __init__(self) -> None:
        self._owed: dict[str, float] = {}

    def next(self, plan: Mapping[str, int], games: int) -> dict[str, int]:
        """Returns opponent to number of games of the next chunk.

        Args:
            plan: Opponent to number of games per iteration. It may change from chunk to chunk.
            games: Number of games of the chunk.
        """
        whole = sum(plan.values())
        # an opponent that left the plan is owed nothing more
        owed = {name: self._owed.get(name, 0.0) + games * count / whole for name, count in plan.items()}
        counts = {name: max(0, math.floor(share + 1e-9)) for name, share in owed.items()}
        while (missing := games - sum(counts.values())) != 0:
            step = 1 if missing > 0 else -1
            candidates = [name for name in counts if counts[name] + step >= 0]
            counts[max(candidates, key=lambda name: step * (owed[name] - counts[name]))] += step
        self._owed = {name: owed[name] - count for name, count in counts.items()}
        return {name: count for name, count in counts.items() if count}
