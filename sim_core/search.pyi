from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim_core.batch import GameBatch

class SearchResult(NamedTuple):
    """What a search found, a row a game; rows of finished games are zero."""

    visit_counts: NDArray[np.int32]
    policy: NDArray[np.float32]
    value: NDArray[np.float32]

def search(
    batch: GameBatch,
    evaluate: Callable[
        [NDArray[np.float32], NDArray[np.bool_]], tuple[NDArray[np.float32], NDArray[np.float32]]
    ],
    simulations: int,
    *,
    seed: int = 0,
    threads: int = 1,
    c_puct: float = 1.5,
    dirichlet_fraction: float = 0.0,
    dirichlet_alpha: float = 0.5,
) -> SearchResult: ...
