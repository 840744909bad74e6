from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim_core.batch import GameBatch
from sim_core.game_record import GameRecord
from sim_core.runner_settings import RunnerSettings
from sim_core.tree_search.leaves import LeafBatch

class GameRunner:
    """Plays the games of a schedule to their ends."""

    leaves: LeafBatch
    finished: int
    record: GameRecord
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
        opponents: Sequence[tuple[str | None, int]] = (),
        record: bool = False,
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
