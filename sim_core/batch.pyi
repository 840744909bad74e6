from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim_core.game import GameHandle
from sim_core.state import State

class GameBatch:
    """Holds `n` games of one kind, dealt from a seed: game i draws from the counter-based stream (seed, streams[i]).

    Args:
        n: Number of games, 0 to 100,000,000.
        seed: Random seed, 0 to 2**64 - 1. The same seed gives the same deals.
        game: Name of a registered game.
        first_player: Player who begins, 0 or 1: one integer, or integers [n].
        streams: Stream numbers [n], by default 0 to n - 1. Games with the same number have the same deal.

    Raises:
        ValueError: Names the argument, what was given and what is expected.
        RuntimeError: From any method: another thread steps or plays the games now.
    """

    handle: GameHandle
    """The game that is played."""
    seed: int
    """Random seed of the deals."""
    def __init__(
        self,
        n: int,
        seed: int = 0,
        *,
        game: str = "beasty_bar",
        first_player: ArrayLike = 0,
        streams: ArrayLike | None = None,
    ) -> None: ...
    @classmethod
    def from_states(
        cls, states: Iterable[State], seed: int = 0, *, streams: ArrayLike | None = None
    ) -> GameBatch:
        """Returns a batch of the given `State`s, all of one game. `seed` and `streams` are as in `from_packed`."""
    @classmethod
    def from_packed(
        cls,
        packed: NDArray[Any],
        *,
        game: str = "beasty_bar",
        seed: int = 0,
        streams: ArrayLike | None = None,
    ) -> GameBatch:
        """Returns a batch of packed states, as `packed()` and the replay window hold them.

        Args:
            packed: States, uint8 [n, state_size].
            game: Name of the game.
            seed: Random seed of the games' streams, 0 to 2**64 - 1.
            streams: Stream numbers [n], by default 0 to n - 1. Equal positions with equal numbers are searched alike.

        Raises:
            ValueError: The array is of another type or shape, or a row is no position of the game.
        """
    def take(self, rows: ArrayLike) -> GameBatch:
        """Returns a new batch with copies of the games in `rows`, which keep their streams."""
    def __len__(self) -> int: ...
    @property
    def num_actions(self) -> int:
        """Returns the number of action ids of the game, A."""

    @property
    def observation_size(self) -> int:
        """Returns the numbers in an observation of the game."""

    @property
    def to_move(self) -> NDArray[np.int8]:
        """Returns the players to move, int8 [n]."""
    @property
    def ply(self) -> NDArray[np.int16]:
        """Returns the numbers of turns taken, int16 [n]."""
    @property
    def is_terminal(self) -> NDArray[np.bool_]:
        """Returns whether each game is over, bool [n]."""
    @property
    def is_solvable(self) -> NDArray[np.bool_]:
        """Returns whether each game can be solved exactly, bool [n]."""
    def scores(self) -> NDArray[np.int32]:
        """Returns both players' scores, int32 [n, 2]."""
    def outcomes(self) -> NDArray[np.int8]:
        """Returns the outcomes for player 0 as the games stand, int8 [n]: -1, 0 or 1."""
    def packed(self) -> NDArray[np.uint8]:
        """Returns a copy of the states, uint8 [n, state_size]."""
    def state(self, i: int) -> State:
        """Returns game i as a `State`."""
    def legal_mask(self, out: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """Returns which actions are legal, bool [n, num_actions]. None are where a game is over.

        Args:
            out: Array to write into and return. None: a new array.
        """
    def observe(self, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Returns what each player to move may know, float32 [n, observation_size].

        Args:
            out: Array to write into and return. None: a new array.
        """
    def hidden_targets(self) -> NDArray[np.int8]:
        """Returns what each player to move cannot see, int8 [n, hidden_size]: 1 or 0, -1 where nothing is to guess.

        Networks may learn from it. It is never part of an observation.
        """
    def step(self, actions: ArrayLike) -> None:
        """Plays one action in each game.

        Args:
            actions: Ids of the actions [n]. -1 leaves a game as it is.

        Raises:
            ValueError: An action is not legal. Then no game has changed.
        """
    def opponent_actions(self, name: str, seed: int = 0, rows: ArrayLike | None = None) -> NDArray[np.int16]:
        """Returns the actions of a built-in opponent, int16 [m]. -1 where the game is over.

        Args:
            name: Name of the opponent.
            seed: Random seed of its choices. They come from the stream (seed, the game's stream number, ply), so
                the other games of the batch change none.
            rows: Games to play in [m]. None: all.

        Raises:
            ValueError: The game has no such opponent, or there is no such row.
        """
    def uniforms(self, seed: int = 0) -> NDArray[np.float64]:
        """Returns one uniform number in (0, 1) per game for sampling its next action, float64 [n].

        It comes from the stream (seed, the game's stream number, ply), so the other games of the batch do not matter.
        """
    def play_random(self, threads: int = 1) -> None:
        """Plays every game to its end with uniformly random actions, each game from its own stream."""

def select_random_action(batch: GameBatch, i: int) -> int:
    """Returns a uniformly random legal action of game `i`, drawn from that game's stream."""
def c_state_to_python(batch: GameBatch, i: int) -> State:
    """Returns game `i` as a `State`, for an agent written in Python. Later steps of the batch do not change it."""
