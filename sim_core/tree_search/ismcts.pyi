from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim_core.batch import GameBatch

class IsmctsResult(NamedTuple):
    """What a search found, a row a game; of finished games zeros and the action -1."""

    visit_counts: NDArray[np.int32]
    actions: NDArray[np.int64]
    value: NDArray[np.float32]

def ismcts(
    batch: GameBatch,
    iterations: int,
    *,
    seed: int = 0,
    threads: int = 1,
    c: float = 1.2,
    exact_rollouts: bool = False,
) -> IsmctsResult: ...
