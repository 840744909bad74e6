from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim_core.batch import GameBatch
from sim_core.tree_search.leaves import LeafBatch
from sim_core.tree_search.settings import SearchSettings

class GameRunner:
    """Plays the games of a schedule to their ends."""

    leaves: LeafBatch
    finished: int
    def __init__(
        self,
        leaves: LeafBatch,
        *,
        simulations: int,
        settings: SearchSettings | None,
        temperature: float,
        seed: int,
        learner_seed: int,
        streams: ArrayLike,
        first_player: ArrayLike,
        controllers: ArrayLike,
        opponents: Sequence[tuple[str | None, int]] = (),
        record: bool = False,
        value_target: str = "outcome",
    ) -> None: ...
    def advance(self, threads: int = 1) -> int: ...
    @property
    def is_done(self) -> bool: ...
    def outside(self, opponent: int) -> tuple[NDArray[np.int64], int]: ...
    def positions(self, slots: ArrayLike) -> GameBatch: ...
    def play(self, slots: ArrayLike, actions: ArrayLike) -> None: ...
    @property
    def seconds(self) -> dict[str, float]: ...
    @property
    def simulations_done(self) -> int: ...
    @property
    def progress(self) -> float: ...
    def outcomes(self) -> NDArray[np.int8]: ...
    def scores(self) -> NDArray[np.int32]: ...
    def positions_kept(self) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int8]]: ...
    def values_kept(self) -> NDArray[np.float32]: ...
    def margins_kept(self) -> NDArray[np.int32]: ...
