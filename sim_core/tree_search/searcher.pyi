from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim_core.agent_models import AgentModels
from sim_core.batch import GameBatch
from sim_core.beliefs import Beliefs
from sim_core.protocols import AgentModel
from sim_core.tree_search.leaves import LeafBatch
from sim_core.tree_search.settings import SearchSettings

_Evaluate = Callable[[NDArray[np.float32], NDArray[np.bool_]], tuple[NDArray[np.float32], NDArray[np.float32]]]

class SearchResult(NamedTuple):
    """Holds what a search found, one row per game. Rows of finished games are zero.

    visit_counts: int32 [n, A], visits of the root's actions. Each searched row sums to the simulations. At a solved
        root the simulations are divided over the actions that keep its exact value.
    policy: float32 [n, A], the policy target: visit shares or, by the settings, the policy of completed Q. At a solved
        root it is uniform over the actions that keep its exact value.
    value: float32 [n], value of the root for the player to move, -1 to 1.
    actions: int64 [n], the action that the search settles on: the most visited one, with a Gumbel root the one that
        halving leaves, at a solved root the best one that is hardest to answer. -1 where the game is over.
    """

    visit_counts: NDArray[np.int32]
    policy: NDArray[np.float32]
    value: NDArray[np.float32]
    actions: NDArray[np.int64]

class Searcher:
    """Searches batches of one game, one after the other, in trees that are allocated once.

    A second search at the same time is refused: each thread needs a separate searcher.

    Args:
        slots: Most games of a batch.
        simulations: Most simulations per game, 1 to 1,000,000.
        game: Name of the game.
        observations: Array to encode into, float32 [slots, OBSERVATION_SIZE + condition_size], e.g. in page-locked
            memory. None: a new array.
        condition_size: Numbers that follow each observation: what the network is told besides.

    Raises:
        ValueError: Names the argument, the value and what would be right.
    """

    leaves: LeafBatch
    """Leaves that wait for one network call, with the seconds spent."""
    def __init__(
        self,
        slots: int,
        simulations: int,
        *,
        game: str = "beasty_bar",
        observations: NDArray[np.float32] | None = None,
        condition_size: int = 0,
    ) -> None: ...
    @property
    def game(self) -> str:
        """Returns the name of the game."""
    @property
    def slots(self) -> int:
        """Returns the most games of a batch."""
    @property
    def simulations(self) -> int:
        """Returns the most simulations per game."""
    @property
    def nbytes(self) -> int:
        """Returns the most bytes that the trees take."""
    def search(
        self,
        batch: GameBatch,
        evaluate: _Evaluate,
        simulations: int | None = None,
        *,
        seed: int = 0,
        threads: int = 1,
        settings: SearchSettings | None = None,
        opponents: str | AgentModel | Sequence[str | AgentModel | None] | None = None,
        conditions: NDArray[np.float32] | None = None,
        beliefs: Beliefs | None = None,
    ) -> SearchResult:
        """Searches a batch as the function `search` does.

        Args:
            batch: Games to search, at most `slots`; see `search`.
            evaluate: Evaluates positions; see `search`.
            simulations: Simulations per game, at most those that this was made for. None: all of them.
            seed: Random seed; see `search`.
            threads: Threads for the work in the trees.
            settings: `SearchSettings`. None: the defaults.
            opponents: Who plays the other side of each game; see `search`.
            conditions: What the network is told in each game's tree; see `search`.
            beliefs: What the players to move believe of hidden cards; see `search`.

        Returns:
            `SearchResult`.

        Raises:
            ValueError: As in `search`.
            RuntimeError: Another thread searches with this searcher now, or the evaluator does.
        """

def opponent_numbers(
    batch: GameBatch,
    opponents: str | AgentModel | Sequence[str | AgentModel | None] | None,
    agents: AgentModels | None = None,
) -> NDArray[np.int32]:
    """Returns the number of each game's opponent, int32 [n], or -1 where there is none.

    Args:
        batch: Games.
        opponents: A name for all games, or a name or None for each. None: no game's opponent is known.
        agents: Numbers the opponents; with it an `AgentModel` may stand in place of a name. None: built-in ones alone.

    Raises:
        ValueError: The game has no such opponent, or there are too few or too many names.
    """

def search(
    batch: GameBatch,
    evaluate: _Evaluate,
    simulations: int,
    *,
    seed: int = 0,
    threads: int = 1,
    settings: SearchSettings | None = None,
    opponents: str | AgentModel | Sequence[str | AgentModel | None] | None = None,
    conditions: NDArray[np.float32] | None = None,
    beliefs: Beliefs | None = None,
    **changes: Any,
) -> SearchResult:
    """Searches every game of the batch from its mover's view.

    Args:
        batch: Games to search, n games at any ply. None is changed.
        evaluate: Called with observations float32 [m, OBSERVATION_SIZE] and legal_mask bool [m, A]. Returns logits
            [m, A] and values [m] for the players to move. The next call reuses its arguments' memory. If it has a
            ``condition_size`` above 0, each observation is followed by that many numbers.
        simulations: Simulations per game, 1 to 1,000,000.
        seed: Random seed of determinizations and root noise. A game's stream is (seed, its stream number, its ply).
        threads: Threads for the work in the trees. The result does not depend on it.
        settings: `SearchSettings`. None: the defaults.
        opponents: Name of the built-in opponent that plays the other side, or a name or None for each game [n]. In the
            tree it plays by its rule, and where nothing is hidden its best response is found exactly. In place of a
            name an `AgentModel` stands for itself. None: the other side is expected to play as the searcher would.
        conditions: What the network is told besides the observations of each game's tree, float32
            [n, condition_size]. None: zeros, nothing is known.
        beliefs: `Beliefs` of at least n slots. Where slot i was begun for the player to move in game i, both hidden
            cards and opponent are drawn from it. None: hidden cards are drawn uniformly.
        changes: Fields of `SearchSettings` that differ from `settings`, e.g. ``c_puct=2.0``.

    Returns:
        SearchResult(visit_counts int32 [n, A], policy float32 [n, A], value float32 [n], actions int64 [n]).

    Raises:
        ValueError: An argument is out of range, or the evaluator returns wrong shapes, NaN, infinity, or values too
            large to be added up, or an `AgentModel` returns no probabilities of legal actions.
    """
