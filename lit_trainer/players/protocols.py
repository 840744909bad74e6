"""Says what a player of batches, an agent of single positions and an opponent must offer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lit_trainer.networks.evaluators import Floats
from sim_core import Action, GameBatch, State
from sim_core.runner_settings import MODELS

Ids = NDArray[np.int64]


class Moves(NamedTuple):
    """Holds what a player chose in m games."""

    actions: Ids
    """Action ids, int64 [m]."""
    policy: Floats | None = None
    """Policy targets, float32 [m, A]; rows of zeros where there is no target."""
    values: Floats | None = None
    """Values of the search for the player to move, float32 [m]. None: the player did not search."""


def with_opponent_model(name: str, opponent_model: str) -> str:
    """Returns a player's name with what it expects of the other side, as `specs.split_opponent_model` splits it.

    >>> with_opponent_model("ismcts:20", "skunk"), with_opponent_model("ismcts:20", "none")
    ('ismcts:20+skunk', 'ismcts:20')
    """
    return name if opponent_model == "none" else f"{name}+{opponent_model}"


T = TypeVar("T")


def assumed_opponent(opponent_model: T) -> T | None:
    """Returns the opponent that a player expects whoever it plays. None: it expects none, or finds out."""
    return None if opponent_model in MODELS else opponent_model


class Player(Protocol):
    """Chooses an action in every game of a batch; no game may be over."""

    def act(self, batch: GameBatch) -> Moves:
        """Returns an action for every game of the batch."""
        ...


@runtime_checkable
class Remembers(Protocol):
    """Is a player that may use what was played so far."""

    @property
    def remembers(self) -> bool:
        """Returns whether it does."""
        ...

    def act_after(self, batch: GameBatch, histories: Sequence[Sequence[tuple[State, Action]]]) -> Moves:
        """Returns an action for every game of the batch, after what was played before each."""
        ...


def moves_after(
    player: Player, batch: GameBatch, histories: Callable[[], Sequence[Sequence[tuple[State, Action]]]]
) -> Moves:
    """Returns a player's moves, by what was played so far if the player remembers it.

    Args:
        player: The player.
        batch: Positions.
        histories: Returns the history of each position. It is called only for a player that remembers.
    """
    if isinstance(player, Remembers) and player.remembers:
        return player.act_after(batch, histories())
    return player.act(batch)


@runtime_checkable
class Agent(Protocol):
    """Plays single positions; any object with this method joins pools, evaluations, tournaments and `play`."""

    def select_action(self, state: State, legal_actions: Sequence[Action]) -> Action:
        """Returns one of the legal actions for the player to move."""
        ...


class PlaysGames(Protocol):
    """Has a name, and says which games it plays."""

    @property
    def name(self) -> str:
        """Returns the short name under which results are logged."""
        ...

    @property
    def games(self) -> tuple[str, ...]:
        """Returns the names of the games that it plays."""
        ...


class Opponent(PlaysGames, Protocol):
    """Makes any number of equally strong players under one name; what they share is loaded once."""

    def player(self, seed: int, threads: int = 1) -> Player:
        """Returns a player.

        Args:
            seed: Random seed. The same seed gives the same moves.
            threads: Threads of its search. No move depends on it.
        """
        ...
