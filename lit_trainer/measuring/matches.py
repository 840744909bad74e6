"""Plays a match: a player against one opponent on mirrored deals, each deal from both seats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.protocols import Player
from lit_trainer.self_play.lanes import LaneMemory, Schedule, play_schedule

if TYPE_CHECKING:
    pass


class Match(NamedTuple):
    """One match of a test."""

    simulations: int
    """A move, of the player that is measured."""
    opponent: str


def play_match(
    player: Player,
    opponent: Player,
    games: int,
    *,
    game: str,
    seed: int,
    first: int = 0,
    parallel_games: int = 1024,
    memory: LaneMemory | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Games 2k and 2k + 1 share a deal: the player sits first in one seat, then in the other.

    Args:
        player: whose games they are.
        opponent: the other side.
        games: how many.
        game: name of the game.
        seed: of the deals.
        first: number of the first game, so that several processes can share a match.
        parallel_games: games played side by side.
        memory: of the lanes, kept from one match to the next; None: of this match's own.
        on_progress: told the games played so far, in part-games; what it raises ends the match.

    Returns:
        outcomes int8 [games], -1, 0 or 1 for the player; margins int32 [games], the player's score less the other's.
    """
    numbers = np.arange(first, first + games)
    deals, seats = numbers // 2, numbers % 2
    # a network's player plays in the engine's lanes, the other one beside it; where neither is one, both do
    sides, learner_seats = (player, opponent), seats
    if not _fits_lanes(player):
        sides, learner_seats = (opponent, player), 1 - seats
    learner = sides[0] if isinstance(sides[0], NetworkPlayer) and _fits_lanes(sides[0]) else None
    others = [side for side in sides[::-1] if side is not learner]
    controllers = np.ones((games, 2), dtype=np.int64)
    controllers[np.arange(games), learner_seats] = 0 if learner else 2
    played = play_schedule(
        learner,
        Schedule(deals, deals % 2, controllers),
        others,
        game=game,
        seed=seed,
        parallel_games=parallel_games,
        memory=memory,
        on_progress=on_progress,
    )
    sign = np.where(seats == 0, 1, -1)
    return (played.outcomes * sign).astype(np.int8), ((played.scores[:, 0] - played.scores[:, 1]) * sign).astype(
        np.int32
    )


def _fits_lanes(player: Player) -> bool:
    """Several determinized trees a move are not for the lanes, which keep one tree a game."""
    return isinstance(player, NetworkPlayer) and not player.settings.determinizations


Measurement = Mapping[int, Mapping[str, MatchResult]]
"""Simulations a move, then opponent, to result."""


def player_name(simulations: int) -> str:
    """How pictures and tables call the player at a number of simulations."""
    return f"{simulations} simulations" if simulations else "policy alone"
