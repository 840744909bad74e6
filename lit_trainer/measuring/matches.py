"""Plays a match: a player against one opponent on mirrored deals, each deal from both seats."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.protocols import Player, with_opponent_model
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
    """Model of the opponent that the player plays by, see `RunnerSettings`."""

    def to_record(self) -> dict[str, Any]:
        """Returns the fields that name the match in ``test.json``. "none" is left out, as before there were others."""
        return {name: value for name, value in self._asdict().items() if name != "opponent_model" or value != "none"}

    def without_idle_model(self, tellable: Container[str]) -> Self:
        """Returns the match with the same games, move for move, whose player is told nothing that it cannot use.

        Args:
            tellable: Names of the opponents of which there is something to tell, see `Roster.tellable`.
        """
        idle = self.opponent_model == "told" and self.opponent not in tellable
        return self._replace(opponent_model="none") if idle else self

    @classmethod
    def from_record(cls, row: Mapping[str, Any]) -> Self:
        """Returns the match that a row of ``test.json`` is of.

        Raises:
            KeyError: The row names no match.
        """
        return cls(row["simulations"], row["opponent"], row.get("opponent_model", "none"))


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


Tested = Mapping[Match, MatchResult]
"""Matches of a test to their results, in the order in which they were played."""


def by_simulations(tested: Tested) -> dict[int, dict[str, dict[str, MatchResult]]]:
    """Returns simulations per move, then what the player knew of its opponents, then opponent, to the result."""
    found: dict[int, dict[str, dict[str, MatchResult]]] = {}
    for match, result in tested.items():
        models = found.setdefault(match.simulations, {})
        models.setdefault(match.opponent_model, {})[match.opponent] = result
    return found


def by_model(tested: Tested) -> dict[str, dict[str, MatchResult]]:
    """Returns what the player knew of its opponents, then opponent, to the result."""
    found: dict[str, dict[str, MatchResult]] = {}
    for match, result in tested.items():
        found.setdefault(match.opponent_model, {})[match.opponent] = result
    return found


def of_first_model(tested: Tested) -> dict[int, dict[str, MatchResult]]:
    """Returns simulations per move, then opponent, to the result with the model that was played first."""
    first = next((match.opponent_model for match in tested), "none")
    return {number: models[first] for number, models in by_simulations(tested).items() if first in models}


def with_model(text: str, opponent_model: str) -> str:
    """Returns a title with what the player knew of its opponents, which "none" leaves as it is."""
    return text if opponent_model == "none" else f"{text}, {opponent_model}"


def player_name(simulations: int, opponent_model: str = "none") -> str:
    """Returns how pictures and tables name the player at a number of simulations per move."""
    return with_model(f"{simulations} simulations" if simulations else "policy alone", opponent_model)


def timed_name(simulations: int, opponent_model: str = "none") -> str:
    """Returns how times per move name the player at a number of simulations per move."""
    return with_opponent_model(f"sims:{simulations}", opponent_model)
