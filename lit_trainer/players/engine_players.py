"""Plays inside the engine: built-in opponents, and tree search without a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lit_trainer.players.protocols import Moves, assumed_opponent, with_opponent_model
from sim_core import GameBatch, games, get_game, ismcts
from sim_core.tree_search.ismcts import IsmctsResult


def builtin_names() -> tuple[str, ...]:
    """Returns the names of all games' built-in opponents, each once."""
    return tuple(dict.fromkeys(name for game in games() for name in get_game(game).opponents))


class BuiltinPlayer:
    """Plays as one of the game's built-in opponents.

    Args:
        name: Name of the opponent; Beasty Bar's are ``sim_core.OPPONENTS``.
        seed: Random seed. The same seed gives the same moves.
    """

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.seed = seed

    def act(self, batch: GameBatch) -> Moves:
        """Returns the opponent's action for every game of the batch."""
        return Moves(batch.opponent_actions(self.name, self.seed).astype(np.int64))


class IsmctsPlayer:
    """Plays the most visited action of `sim_core.ismcts`, which knows only the rules of a game.

    Args:
        iterations: Iterations per move, 1 to 1,000,000.
        seed: Random seed of the search. The same seed gives the same moves.
        threads: Threads that search different games. No move depends on it.
        opponent: Name of the built-in opponent that it expects on the other side. None: the other side plays what is
            best for it.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(self, iterations: int, seed: int, threads: int = 1, opponent: str | None = None) -> None:
        self.iterations = iterations
        self.seed = seed
        self.threads = threads
        self.opponent = opponent
        self.search(GameBatch(0))  # refuses wrong arguments now, not at the first move

    def search(self, batch: GameBatch) -> IsmctsResult:
        """Returns the visits, the chosen actions and the values of all games of the batch."""
        return ismcts(batch, self.iterations, seed=self.seed, threads=self.threads, opponents=self.opponent)

    def act(self, batch: GameBatch) -> Moves:
        """Returns the most visited action for every game of the batch."""
        return Moves(self.search(batch).actions.astype(np.int64, copy=False))


@dataclass(frozen=True)
class BuiltinOpponent:
    """Makes players of one built-in opponent."""

    name: str

    @property
    def games(self) -> tuple[str, ...]:
        """Returns the games that have an opponent of this name."""
        return tuple(game for game in games() if self.name in get_game(game).opponents)

    def player(self, seed: int, threads: int = 1) -> BuiltinPlayer:
        """Returns a player; `threads` has no effect."""
        return BuiltinPlayer(self.name, seed)


@dataclass(frozen=True)
class IsmctsOpponent:
    """Makes players of tree search without a network."""

    iterations: int
    """Iterations per move."""
    opponent_model: str = "none"
    """Name of the built-in opponent that it expects on the other side, or "none"."""

    @property
    def name(self) -> str:
        """Returns ``ismcts:N`` or ``ismcts:N+NAME``."""
        return with_opponent_model(f"ismcts:{self.iterations}", self.opponent_model)

    @property
    def games(self) -> tuple[str, ...]:
        """Returns all games, or those that have the opponent that it expects."""
        expected = assumed_opponent(self.opponent_model)
        return games() if expected is None else BuiltinOpponent(expected).games

    def player(self, seed: int, threads: int = 1) -> IsmctsPlayer:
        """Returns a player that searches with the given seed and threads."""
        return IsmctsPlayer(self.iterations, seed, threads, assumed_opponent(self.opponent_model))
