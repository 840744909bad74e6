"""Players that run inside the engine: built-in opponents and tree search without a network."""

from __future__ import annotations

import numpy as np

from lit_trainer.players.protocols import Moves
from sim_core import GameBatch, ismcts


class BuiltinPlayer:
    """One of the game's built-in opponents.

    Args:
        name: one of the game's, for Beasty Bar of ``sim_core.OPPONENTS``.
        seed: of its random choices.
    """

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.seed = seed

    def act(self, batch: GameBatch) -> Moves:
        return Moves(batch.opponent_actions(self.name, self.seed).astype(np.int64))


class IsmctsPlayer:
    """Plays the most visited action of `sim_core.ismcts`, which knows nothing of a game but its rules.

    Args:
        iterations: a move, 1 to 1,000,000.
        seed: of everything the search draws.
        threads: threads for different games.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, iterations: int, seed: int, threads: int = 1) -> None:
        self.iterations = iterations
        self.seed = seed
        self.threads = threads
        self.act(GameBatch(0))  # refuses wrong arguments now, not at the first move

    def act(self, batch: GameBatch) -> Moves:
        found = ismcts(batch, self.iterations, seed=self.seed, threads=self.threads)
        return Moves(found.actions.astype(np.int64, copy=False))
