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
    """Milliseconds a move."""

    batched: float
    """Where many positions are asked for together, as matches and self-play do: the time over the positions."""
    alone: float
    """Where one position is asked for, as when one game is played."""


def time_moves(player: Player, positions: GameBatch) -> MoveTime:
    """Mean time of a move over the positions, each measured up to three times, of which the shortest counts.

    Other work of the machine only ever makes a measurement longer. The player's own threads are used.
    """
    some = positions.take(np.arange(0, len(positions), max(1, len(positions) // _ALONE)))
    singles = [some.take([row]) for row in range(len(some))]
    player.act(singles[0])  # memory and kernels that are made at the first call
    alone = [_shortest(player, single, _ENOUGH_SECONDS / len(singles)) for single in singles]
    batched = _shortest(player, positions, _ENOUGH_SECONDS) / len(positions)
    return MoveTime(1000 * batched, 1000 * sum(alone) / len(alone))


class MoveTimes(dict[str, MoveTime]):
    """Times a move by player's name."""

    def measure(self, name: str, player: Player, game: str, seed: int) -> None:
        """Time a player on positions drawn from the seed, unless it has been timed."""
        if name not in self:
            self[name] = time_moves(player, sample_positions(game, POSITIONS, seed))


def _shortest(player: Player, batch: GameBatch, enough: float) -> float:
    """Seconds of the quickest of some calls; no more calls once they took `enough` seconds together."""
    taken: list[float] = []
    while len(taken) < _REPEATS and sum(taken) < enough:
        start = time.perf_counter()
        player.act(batch)
        taken.append(time.perf_counter() - start)
    return min(taken)
