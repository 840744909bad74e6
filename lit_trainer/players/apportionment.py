"""Shares out whole games among opponents, so that over time each gets its share."""

from __future__ import annotations

import math
from collections.abc import Mapping


class Apportionment:
    """Turns shares into whole numbers of games, and makes up for the rounding in the next call.

    Each call gives every name its share rounded down, and the games that are left to those that are owed most. What a
    name is owed then is carried to the next call. So also a rare opponent is met: one whose share is a tenth of a game
    per call plays one game in ten calls.

    Args:
        owed: Name to games that it is owed at the start. Below zero, it has had more than its share.

    >>> games = Apportionment()
    >>> [games.next(2, {"a": 7, "b": 1}) for _ in range(4)]
    [{'a': 2}, {'a': 2}, {'a': 1, 'b': 1}, {'a': 2}]
    """

    def __init__(self, owed: Mapping[str, float] | None = None) -> None:
        self.owed: dict[str, float] = dict(owed or {})
        """Name to games that it is owed now. Each call of `next` puts a new dictionary here."""

    def next(self, games: int, shares: Mapping[str, float]) -> dict[str, int]:
        """Returns name to number of games, without names that get none.

        Args:
            games: Number of games in all.
            shares: Share of each name, in any unit. They may change from call to call. A name that is left out is owed
                nothing more.
        """
        whole = sum(shares.values())
        owed = {name: self.owed.get(name, 0.0) + games * share / whole for name, share in shares.items()}
        counts = {name: max(0, math.floor(due + 1e-9)) for name, due in owed.items()}
        while (missing := games - sum(counts.values())) != 0:
            step = 1 if missing > 0 else -1
            candidates = [name for name in counts if counts[name] + step >= 0]
            # among equals, max() takes the name that comes first
            counts[max(candidates, key=lambda name: step * (owed[name] - counts[name]))] += step
        self.owed = {name: owed[name] - count for name, count in counts.items()}
        return {name: count for name, count in counts.items() if count}
