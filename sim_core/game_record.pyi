import numpy as np
from numpy.typing import NDArray

from sim_core.game import GameHandle

class GameRecord:
    """Keeps the results of a schedule's games and, where wanted, the learner's positions.

    A `GameRunner` makes one and fills it; nobody can read it meanwhile. Rows of games [m] are in the schedule's order.
    Rows of positions [k] go game by game, and within a game ply by ply.

    Args:
        handle: The game that is played.
        games: Number of games, m.
        keeps_positions: Whether the learner's positions are kept.
        wants_exact: Whether positions learn exact values where there are any, see `RunnerSettings.value_target`.
        keeps_keys: Whether to keep a key of each game, by which games are told apart.
        condition_size: Numbers of the condition that is kept with each position.
    """

    keeps_positions: bool
    """Whether the learner's positions are kept."""
    keeps_keys: bool
    """Whether a key of each game is kept."""
    def __init__(
        self,
        handle: GameHandle,
        games: int,
        *,
        keeps_positions: bool,
        wants_exact: bool,
        keeps_keys: bool = False,
    ) -> None: ...
    def __len__(self) -> int:
        """Returns the number of games."""

    @property
    def outcomes(self) -> NDArray[np.int8]:
        """Returns the games' outcomes for player 0, int8 [m]: -1, 0 or 1."""

    @property
    def scores(self) -> NDArray[np.int32]:
        """Returns both players' final scores, int32 [m, 2]."""

    @property
    def keys(self) -> NDArray[np.int64]:
        """Returns the games' keys, int64 [m], or [0] where none are kept.

        Games in which the players saw and did the same have the same key, whichever of them was player 0.
        """

    @property
    def states(self) -> NDArray[np.uint8]:
        """Returns the kept positions, packed, uint8 [k, state_size]."""

    @property
    def policies(self) -> NDArray[np.float32]:
        """Returns the kept positions' policy targets, float32 [k, A]; zeros where there is no target."""

    @property
    def movers(self) -> NDArray[np.int8]:
        """Returns the player to move in each kept position, int8 [k]."""

    @property
    def conditions(self) -> NDArray[np.uint8]:
        """Returns what the network was told at kept positions, uint8 [k, condition_size]: probabilities times 255."""

    @property
    def position_outcomes(self) -> NDArray[np.float32]:
        """Returns the values that kept positions learn, for their movers, float32 [k]; see `RunnerSettings`."""

    @property
    def position_margins(self) -> NDArray[np.int32]:
        """Returns the final margins for the kept positions' movers, int32 [k]: own score minus opponent's score."""

    @property
    def position_values(self) -> NDArray[np.float32]:
        """Returns the search's values for the kept positions' movers, float32 [k].

        They are exact where the position was solved, and NaN where there was no search.
        """
