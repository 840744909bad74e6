"""Reads what a report shows from the trainer's data module and from the module, whoever wrote them.

A callback works with any module and any data module. Each fact has a protocol that says which attribute it is read
from; a module that lacks the attribute has nothing to report there, and the report leaves it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from lit_trainer.measuring.move_times import MoveTime
from lit_trainer.networks.base import PolicyValueNetwork

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer
    from numpy.random import Generator
    from torch import Tensor

    from lit_trainer.measuring.metrics import MatchResult

Progress = Callable[[float, int], None]
"""Takes the games played so far, in part-games, and the number of games in all."""


@runtime_checkable
class HasGenerationStats(Protocol):
    """Offers the statistics of the newest iteration's games."""

    generation_stats: Any
    """New in every iteration: an object with `to_log`, or a mapping of name to number."""


@runtime_checkable
class LogsItself(Protocol):
    """Offers its numbers under the names that are logged."""

    def to_log(self) -> Mapping[str, float]:
        """Returns name to number."""


@runtime_checkable
class HasOpponentPool(Protocol):
    """Offers a pool of opponents."""

    opponent_pool: Any


@runtime_checkable
class Weighted(Protocol):
    """Weighs opponents."""

    @property
    def weights(self) -> Mapping[str, float]:
        """Returns each opponent's share of the games against opponents, by name."""


@runtime_checkable
class PositionWindow(Protocol):
    """Holds the positions that the network learns from."""

    def __len__(self) -> int:
        """Returns the number of positions."""

    def sample(self, size: int, generator: Generator) -> Mapping[str, Tensor]:
        """Returns a batch with at least `observations` [size, ...] and `outcome` [size]."""


@runtime_checkable
class HasWindow(Protocol):
    """Offers a window of positions."""

    window: Any


@runtime_checkable
class HasMoveTimes(Protocol):
    """Offers the times per move that a test measured."""

    move_times: Mapping[str, MoveTime]


@runtime_checkable
class ReportsProgress(Protocol):
    """Calls listeners while games are played."""

    on_progress: list[Progress]


@runtime_checkable
class HasTestFacts(Protocol):
    """Offers the settings that a test was played with."""

    def test_facts(self) -> Mapping[str, Any]:
        """Returns the settings by the names that ``test.json`` writes."""


class RunData:
    """Shows the facts of a data module that reports and the learning module read.

    Each fact is read anew when it is asked for, because most change within a run.

    Args:
        data: A data module, or None where the run has none. Facts that it lacks are empty.
    """

    def __init__(self, data: object) -> None:
        self._data = data

    @property
    def generation_stats(self) -> Any:
        """Returns the statistics of the newest iteration as the data module keeps them. None: it has none."""
        return self._data.generation_stats if isinstance(self._data, HasGenerationStats) else None

    @property
    def logged_stats(self) -> dict[str, float]:
        """Returns the statistics of the newest iteration, by the names that are logged after ``selfplay/``."""
        stats = self.generation_stats
        return dict(stats.to_log() if isinstance(stats, LogsItself) else stats or {})

    @property
    def opponent_weights(self) -> dict[str, float]:
        """Returns opponent to its weight in the pool, as the pool weighs them now."""
        pool = self._data.opponent_pool if isinstance(self._data, HasOpponentPool) else None
        return {name: float(weight) for name, weight in pool.weights.items()} if isinstance(pool, Weighted) else {}

    @property
    def window(self) -> PositionWindow | None:
        """Returns the window of positions. None: there is none."""
        found = self._data.window if isinstance(self._data, HasWindow) else None
        return found if isinstance(found, PositionWindow) else None

    @property
    def move_times(self) -> Mapping[str, MoveTime]:
        """Returns player to its time per move, as the newest test measured it."""
        return self._data.move_times if isinstance(self._data, HasMoveTimes) else {}

    @property
    def on_progress(self) -> list[Progress] | None:
        """Returns the list of listeners to the games' progress, which may be added to. None: nobody is told."""
        return self._data.on_progress if isinstance(self._data, ReportsProgress) else None

    @property
    def test_facts(self) -> Mapping[str, Any]:
        """Returns the settings that a test was played with, by the names that ``test.json`` writes."""
        return self._data.test_facts() if isinstance(self._data, HasTestFacts) else {}


@runtime_checkable
class HasEvaluation(Protocol):
    """Offers the results of the newest validation."""

    evaluation: Mapping[str, MatchResult]


@runtime_checkable
class HasMeasurement(Protocol):
    """Offers the results of the newest test."""

    measurement: Mapping[int, Mapping[str, MatchResult]]


@runtime_checkable
class HasIterationsDone(Protocol):
    """Knows the iteration of its checkpoint."""

    iterations_done: int


@runtime_checkable
class HasNetwork(Protocol):
    """Offers the network that it teaches."""

    network: Any


class Results:
    """Shows what a module knows of its evaluations.

    Args:
        module: Any module. Results that it lacks are empty.
    """

    def __init__(self, module: object) -> None:
        self._module = module

    @property
    def evaluation(self) -> Mapping[str, MatchResult]:
        """Returns opponent to the result of the newest validation."""
        return self._module.evaluation if isinstance(self._module, HasEvaluation) else {}

    @property
    def measurement(self) -> Mapping[int, Mapping[str, MatchResult]]:
        """Returns simulations per move, then opponent, to the result of the newest test."""
        return self._module.measurement if isinstance(self._module, HasMeasurement) else {}

    @property
    def iterations_done(self) -> int:
        """Returns the iterations that the loaded checkpoint's run had done. 0: none was loaded."""
        return int(self._module.iterations_done) if isinstance(self._module, HasIterationsDone) else 0

    @property
    def network(self) -> PolicyValueNetwork | None:
        """Returns the network. None: the module has none of this project's."""
        found = self._module.network if isinstance(self._module, HasNetwork) else None
        return found if isinstance(found, PolicyValueNetwork) else None


@runtime_checkable
class _HasDataModule(Protocol):
    datamodule: object


def run_data(trainer: Trainer) -> RunData:
    """Returns the facts of a trainer's data module; all are empty where it has none, or one that lacks them."""
    # Lightning sets the attribute without declaring it
    return RunData(trainer.datamodule if isinstance(trainer, _HasDataModule) else None)


def results_of(pl_module: LightningModule) -> Results:
    """Returns what a module knows of its evaluations; all is empty where it keeps none."""
    return Results(pl_module)
