from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim_core.batch import GameBatch

class IsmctsResult(NamedTuple):
    """Holds what a search found, one row per game. Finished games have zeros and the action -1.

    visit_counts: int32 [n, A], visits of the root's actions. Each searched row sums to the iterations.
    actions: int64 [n], the most visited action, the first among equals. At a solved root one that keeps its value.
    value: float32 [n], mean outcome for the player to move, -1 to 1. At a solved root the exact one.
    """

    visit_counts: NDArray[np.int32]
    actions: NDArray[np.int64]
    value: NDArray[np.float32]

def ismcts(
    batch: GameBatch,
    iterations: int,
    *,
    seed: int = 0,
    threads: int = 1,
    c: float = 1.2,
    exact_rollouts: bool = False,
    opponents: str | Sequence[str | None] | None = None,
) -> IsmctsResult:
    """Searches every game of the batch from its mover's view, one after another.

    A child's score is ``outcomes / visits + c * sqrt(log(available) / visits)``. Among equals the child added first is
    taken. Equal positions with equal stream numbers get equal results: neither the rest of the batch nor what the
    mover cannot see changes them.

    Args:
        batch: Games to search, n games at any ply. None is changed. Finished games give zeros and the action -1.
        iterations: Iterations per game, 1 to 1,000,000.
        seed: Random seed of determinizations, new nodes and rollouts. A game's stream is (seed, its stream number, its
            ply).
        threads: Threads for different games, each with a separate tree. The result does not depend on it.
        c: Weight of exploration against outcomes of -1 to 1, from 0 to 1,000,000.
        exact_rollouts: Whether an iteration ends with the game's exact value as soon as its state can be solved, in
            place of random play. In Beasty Bar that is worth more per iteration, but far less per second.
        opponents: Name of the built-in opponent that plays the other side, or a name or None for each game [n]. In the
            tree it plays by its rule. None: the other side plays what is best for it.

    Returns:
        IsmctsResult(visit_counts int32 [n, A], actions int64 [n], value float32 [n]).

    Raises:
        ValueError: Names the argument that is out of range.
    """
