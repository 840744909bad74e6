from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim_core.batch import GameBatch
from sim_core.tree_search.leaves import LeafBatch
from sim_core.tree_search.settings import SearchSettings

_Evaluate = Callable[[NDArray[np.float32], NDArray[np.bool_]], tuple[NDArray[np.float32], NDArray[np.float32]]]

class SearchResult(NamedTuple):
    """What a search found, a row a game; rows of finished games are zero."""

    visit_counts: NDArray[np.int32]
    policy: NDArray[np.float32]
    value: NDArray[np.float32]
    actions: NDArray[np.int64]

class Searcher:
    """Searches batches of one game, one after the other, in trees that are allocated once."""

    leaves: LeafBatch
    def __init__(
        self,
        slots: int,
        simulations: int,
        *,
        game: str = "beasty_bar",
        observations: NDArray[np.float32] | None = None,
    ) -> None: ...
    @property
    def game(self) -> str: ...
    @property
    def slots(self) -> int: ...
    @property
    def simulations(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def search(
        self,
        batch: GameBatch,
        evaluate: _Evaluate,
        simulations: int | None = None,
        *,
        seed: int = 0,
        threads: int = 1,
        settings: SearchSettings | None = None,
    ) -> SearchResult: ...

def search(
    batch: GameBatch,
    evaluate: _Evaluate,
    simulations: int,
    *,
    seed: int = 0,
    threads: int = 1,
    settings: SearchSettings | None = None,
    **changes: Any,
) -> SearchResult: ...
