from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sim_core.tree_search.trees import Trees

class LeafBatch:
    """Gathers waiting leaves into rows, encodes them, and asks the evaluator once for all."""

    trees: Trees
    slots: int
    seconds: dict[str, float]
    def __init__(self, trees: Trees, observations: NDArray[np.float32] | None = None) -> None: ...
    def encode(self, rows: int, threads: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]: ...
    def evaluate(
        self,
        evaluator: Callable[
            [NDArray[np.float32], NDArray[np.bool_]], tuple[NDArray[np.float32], NDArray[np.float32]]
        ],
        rows: int,
        threads: int,
    ) -> None: ...
    def advance(self, work: Callable[[int, int], int], threads: int) -> None: ...
