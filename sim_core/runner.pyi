from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim_core.protocols import AgentModel
from sim_core.batch import GameBatch
from sim_core.game_record import GameRecord
from sim_core.runner_settings import RunnerSettings
from sim_core.state import Action, State
from sim_core.tree_search.leaves import LeafBatch

class GameRunner:
    """Plays the games of a schedule to their ends.

    Args:
        leaves: Slots, trees and buffers. The next runner can use them again.
        settings: `RunnerSettings`. The trees must have room for its simulations.
        temperature: Temperature at which the learner's moves are sampled from its policy. 0 plays the best action.
            A Gumbel root ignores it and plays what halving settles on: there `gumbel_scale` takes its place.
        seed: Random seed of the deals. Game i is dealt from the stream (seed, streams[i]).
        learner_seed: Random seed of searches and sampled moves.
        streams: Stream numbers, int64 [m]. Games with the same number have the same deal.
        first_player: Player who begins, 0 or 1 [m].
        controllers: Who plays which seat, int [m, 2]. 0 is the learner, k is opponent number k - 1.
        opponents: (name, seed) of each built-in opponent. (None, 0) is one outside the engine: `play` takes its moves.
            (agent, 0) is one outside, too; a learner that is told its opponent asks this `AgentModel` how it plays.
        record: Whether to keep the learner's positions and policy targets.
        keys: Whether to keep a key of each game, see `GameRecord`.
        opening_plies: Random plies that each game begins with, before its players move. They are drawn from the stream
            (seed, streams[i]), so games with the same number have the same opening. None of them ends the game.

    Raises:
        ValueError: Names the argument, the value and what would be right.
    """

    leaves: LeafBatch
    """Slots, trees and buffers that the runner plays in."""
    finished: int
    """Number of games that are over."""
    record: GameRecord
    """How the games ended, and the learner's positions where they are kept."""
    def __init__(
        self,
        leaves: LeafBatch,
        settings: RunnerSettings,
        *,
        temperature: float,
        seed: int,
        learner_seed: int,
        streams: ArrayLike,
        first_player: ArrayLike,
        controllers: ArrayLike,
        opponents: Sequence[tuple[str | AgentModel | None, int]] = (),
        record: bool = False,
        keys: bool = False,
        opening_plies: int = 0,
    ) -> None: ...
    def advance(self, threads: int = 1) -> int:
        """Takes the network's answers, and plays on until every game waits for one or is over.

        A slot whose game has ended takes the next game at the next call, so 0 leaves may wait before `is_done`.

        Args:
            threads: Threads to play with.

        Returns:
            Number of leaves that wait for the network.

        Raises:
            ValueError: The leaves of the last call have not been evaluated, or the answer holds NaN or infinity.
            RuntimeError: Another thread plays these games now, or another runner has taken the leaves.
        """
    @property
    def is_done(self) -> bool:
        """Returns whether all games are over."""
    def outside(self, opponent: int) -> tuple[NDArray[np.int64], int]:
        """Finds the games that wait for an opponent outside the engine.

        Args:
            opponent: Number of the opponent.

        Returns:
            The slots in which it is to move, int64 [k], and the number of slots that hold a game against it.

        Raises:
            RuntimeError: Another thread plays these games now.
        """
    def positions(self, slots: ArrayLike) -> GameBatch:
        """Returns the games in these slots as a `GameBatch`, with their stream numbers.

        Raises:
            RuntimeError: Another thread plays these games now.
        """
    def histories(self, slots: ArrayLike) -> list[list[tuple[State, Action]]]:
        """Returns what was played so far in the slots' games, a list of (State, Action) for each, from the first turn.

        They are empty where games begin with an opening, which nobody chose, or without opponents outside the engine.

        Raises:
            RuntimeError: Another thread plays these games now.
        """
    def play(self, slots: ArrayLike, actions: ArrayLike) -> None:
        """Plays the moves of opponents outside the engine.

        Args:
            slots: Slots in which such an opponent is to move [k], each once.
            actions: Ids of its actions [k].

        Raises:
            ValueError: An action is not legal, or no outside opponent is to move in a slot. Then no game has changed.
            RuntimeError: Another thread plays these games now.
        """
    @property
    def seconds(self) -> dict[str, float]:
        """Returns the seconds spent in: forward (the network), tree, opponents (built-in ones), encoding."""
    @property
    def simulations_done(self) -> int:
        """Returns the number of simulations that the learner's searches have made."""
    @property
    def progress(self) -> float:
        """Returns the games played so far. A running game counts as the part of it that is played."""
