"""Measures how long a player thinks about a move."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from lit_trainer.measuring.positions import POSITIONS, sample_positions
from lit_trainer.players.protocols import Player
from sim_core import GameBatch

_ALONE = 32
_REPEATS = 3
_ENOUGH_SECONDS = 2.0


class MoveTime(NamedTuple):
    """Holds the milliseconds per move."""

    batched: float
    """Time per position if the player is asked about many at once, as in matches and self-play."""
    alone: float
    """Time per position if the player is asked about one at a time, as in a single game."""


def time_moves(player: Player, positions: GameBatch) -> MoveTime:
    """Returns the mean time per move over positions.

    Each call is measured up to three times and the shortest time counts, because other work on the machine can only
    make a measurement longer. The player uses its own threads.
    """
    some = positions.take(np.arange(0, len(positions), max(1, len(positions) // _ALONE)))
    singles = [some.take([row]) for row in range(len(some))]
    player.act(singles[0])  # the first call allocates memory and builds kernels
    alone = [_shortest(player, single, _ENOUGH_SECONDS / len(singles)) for single in singles]
    batched = _shortest(player, positions, _ENOUGH_SECONDS) / len(positions)
    return MoveTime(1000 * batched, 1000 * sum(alone) / len(alone))


class MoveTimes(dict[str, MoveTime]):
    """Keeps times per move by the player's name."""

    def measure(self, name: str, player: Player, game: str, seed: int) -> None:
        """Times a player on positions drawn from the seed, unless it has been timed."""
        if name not in self:
            self[name] = time_moves(player, sample_positions(game, POSITIONS, seed))


def _shortest(player: Player, batch: GameBatch, enough: float) -> float:
    """Returns the seconds of the quickest call. It stops early once the calls took `enough` seconds together."""
    taken: list[float] = []
    while len(taken) < _REPEATS and sum(taken) < enough:
        start = time.perf_counter()
        player.act(batch)
        taken.append(time.perf_counter() - start)
    return min(taken)
