"""Plays a match: a player against one opponent on mirrored deals, each deal from both seats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.protocols import Player
from lit_trainer.self_play.lanes import LaneMemory, Schedule, play_schedule
from lit_trainer.utils.checks import whole_number
from sim_core import get_game

OPENING_PLIES = 2
"""Random plies that the games of a match begin with by default, where the deal draws nothing."""


class Match(NamedTuple):
    """Names one match of an evaluation."""

    simulations: int
    """Simulations per move of the player that is measured."""
    opponent: str
    """Name of the opponent."""
    opponent_model: str = "none"
    """What the player knows of the opponent, see `RunnerSettings`."""


class PlayedMatch(NamedTuple):
    """Holds the games of a match. Games 2k and 2k + 1 share a deal and an opening, with the seats exchanged."""

    outcomes: NDArray[np.int8]
    """Outcomes for the player that is measured [games]: -1, 0 or 1."""
    margins: NDArray[np.int32]
    """The player's points minus the opponent's [games]."""
    keys: NDArray[np.int64]
    """Keys [games]. Games in which both sides saw and did the same have the same key."""


def checked_opening_plies(given: int | None, game: str, field: str = "opening_plies") -> int:
    """Returns how many random plies the games of a match begin with.

    Players that choose the same move whenever they see the same would play a game without chance the same way each
    time. So games whose deal draws nothing begin with `OPENING_PLIES`, and others with none.

    Args:
        given: Number of plies. None: the default for the game.
        game: Name of the game.
        field: Setting that gave the number, for the message.

    Raises:
        ValueError: The number is negative, or as high as the longest game.
    """
    rules = get_game(game)
    if given is None:
        return 0 if rules.deals_at_random else min(OPENING_PLIES, rules.max_plies - 1)
    whole_number(field, given, 0, rules.max_plies - 1)
    return given


def play_match(
    player: Player,
    opponent: Player,
    games: int,
    *,
    game: str,
    seed: int,
    first: int = 0,
    opening_plies: int | None = None,
    parallel_games: int = 1024,
    memory: LaneMemory | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> PlayedMatch:
    """Plays a match on mirrored deals: games 2k and 2k + 1 share a deal and an opening, with the seats exchanged.

    Args:
        player: Player that is measured.
        opponent: Player on the other side.
        games: Number of games.
        game: Name of the game.
        seed: Random seed of the deals and the openings.
        first: Number of the first game, so that several processes can share a match.
        opening_plies: Random plies that each game begins with. None: 2 where the game's deal draws nothing, otherwise
            none.
        parallel_games: Games played side by side.
        memory: Memory of the lanes, reused from one match to the next. None: the match allocates its own.
        on_progress: Called with the number of games played so far, fractions included. What it raises ends the match.

    Raises:
        ValueError: `opening_plies` is out of range.
    """
    numbers = np.arange(first, first + games)
    deals, seats = numbers // 2, numbers % 2
    # a network's player plays in the engine's lanes, its opponent beside them; without a network both play beside them
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
        keys=True,
        opening_plies=checked_opening_plies(opening_plies, game),
        parallel_games=parallel_games,
        memory=memory,
        on_progress=on_progress,
    )
    sign = np.where(seats == 0, 1, -1)
    margins = (played.scores[:, 0] - played.scores[:, 1]) * sign
    return PlayedMatch((played.outcomes * sign).astype(np.int8), margins.astype(np.int32), played.keys)


def _fits_lanes(player: Player) -> bool:
    """Returns whether a player can play in lanes, which keep one tree per game."""
    return isinstance(player, NetworkPlayer) and not player.settings.determinizations


Measurement = Mapping[int, Mapping[str, MatchResult]]
"""Simulations per move, then opponent, to result."""


def player_name(simulations: int) -> str:
    """Returns how pictures and tables name the player at a number of simulations per move."""
    return f"{simulations} simulations" if simulations else "policy alone"
