from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sim_core.tree_search.trees import Trees

class LeafBatch:
    """Gathers waiting leaves into rows, encodes them, and asks the evaluator once for all.

    Args:
        trees: Trees of the slots.
        observations: Array to encode into, float32 [slots, OBSERVATION_SIZE + condition_size], e.g. in page-locked
            memory. None: a new array.
        condition_size: Numbers that follow each observation: what the network is told besides.

    Raises:
        ValueError: `observations` is no such array.
    """

    trees: Trees
    """Trees of the slots."""
    slots: int
    """Most leaves of one call."""
    seconds: dict[str, float]
    """Seconds spent in: forward (the network), tree, encoding."""
    condition_size: int
    """Numbers that follow each observation."""
    def __init__(
        self, trees: Trees, observations: NDArray[np.float32] | None = None, *, condition_size: int = 0
    ) -> None: ...
    def encode(self, rows: int, threads: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Encodes the gathered leaves.

        Args:
            rows: Number of gathered leaves.
            threads: Threads to encode with.

        Returns:
            Observations and conditions, float32 [rows, OBSERVATION_SIZE + condition_size], and legal actions, bool
            [rows, A]. The next call writes into the same memory.

        Raises:
            RuntimeError: Another thread uses the trees now.
        """
    def evaluate(
        self,
        evaluator: Callable[
            [NDArray[np.float32], NDArray[np.bool_]], tuple[NDArray[np.float32], NDArray[np.float32]]
        ],
        rows: int,
        threads: int,
    ) -> None:
        """Evaluates all gathered leaves in one network call.

        The answer's shapes are checked here, its numbers when they are absorbed.

        Args:
            evaluator: Called with what `encode` returns. Returns logits [rows, A] and values [rows].
            rows: Number of gathered leaves.
            threads: Threads to encode with.

        Raises:
            ValueError: `rows` is another number, or the answer has another shape.
            RuntimeError: Another thread uses the trees now, or the evaluator asks for these leaves itself.
        """
    def advance(self, work: Callable[[int, int], int], threads: int) -> None:
        """Lets ``work(low, high)`` go on with all slots.

        Args:
            work: Works on a range of slots, and returns how many answers were not finite.
            threads: Threads to divide the slots over.

        Raises:
            ValueError: An answer was not finite.
            Exception: What an agent that is expected on the other side raised.
        """
