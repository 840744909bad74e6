"""Reads what a report shows from the trainer's data module and from the module, whoever wrote them.

A callback works with any module and any data module. One that lacks an attribute has nothing to report there, and the
report leaves it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from lit_trainer.measuring.matches import Match, Tested
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
class PositionWindow(Protocol):
    """Holds the positions that the network learns from."""

    def __len__(self) -> int:
        """Returns the number of positions."""

    def sample(self, size: int, generator: Generator) -> Mapping[str, Tensor]:
        """Returns a batch with at least `observations` [size, ...] and `outcome` [size]."""


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
        return getattr(self._data, "generation_stats", None)

    @property
    def logged_stats(self) -> dict[str, float]:
        """Returns the statistics of the newest iteration, by the names that are logged after ``selfplay/``.

        The data module keeps them as an object with `to_log`, or as a mapping of name to number.
        """
        stats = self.generation_stats
        return dict(stats.to_log() if hasattr(stats, "to_log") else stats or {})

    @property
    def opponent_weights(self) -> dict[str, float]:
        """Returns opponent to its weight in the pool, as the pool weighs them now."""
        weights = getattr(getattr(self._data, "opponent_pool", None), "weights", {})
        return {name: float(weight) for name, weight in weights.items()}

    @property
    def window(self) -> PositionWindow | None:
        """Returns the window of positions. None: there is none."""
        found = getattr(self._data, "window", None)
        return found if isinstance(found, PositionWindow) else None

    @property
    def move_times(self) -> Mapping[str, MoveTime]:
        """Returns player to its time per move, as the newest test measured it."""
        found: Mapping[str, MoveTime] = getattr(self._data, "move_times", {})
        return found

    @property
    def on_progress(self) -> list[Progress] | None:
        """Returns the list of listeners to the games' progress, which may be added to. None: nobody is told."""
        return getattr(self._data, "on_progress", None)

    @property
    def test_facts(self) -> Mapping[str, Any]:
        """Returns the settings that a test was played with, by the names that ``test.json`` writes."""
        found: Mapping[str, Any] = getattr(self._data, "test_facts", dict)()
        return found


class Results:
    """Shows what a module knows of its evaluations.

    Args:
        module: Any module. Results that it lacks are empty.
    """

    def __init__(self, module: object) -> None:
        self._module = module

    @property
    def evaluation(self) -> Mapping[str, MatchResult]:
        """Returns opponent to the result of the newest validation, with its first model."""
        found: Mapping[str, MatchResult] = getattr(self._module, "evaluation", {})
        return found

    @property
    def evaluation_by_model(self) -> Mapping[str, Mapping[str, MatchResult]]:
        """Returns what the player knew of its opponents, then opponent, to the result of the newest validation.

        A module that has `evaluation` alone measured no model.
        """
        found: Mapping[str, Mapping[str, MatchResult]] | None = getattr(self._module, "evaluation_by_model", None)
        return {"none": self.evaluation} if found is None else found

    @property
    def measurement(self) -> Mapping[int, Mapping[str, MatchResult]]:
        """Returns simulations per move, then opponent, to the result of the newest test, with its first model."""
        found: Mapping[int, Mapping[str, MatchResult]] = getattr(self._module, "measurement", {})
        return found

    @property
    def tested(self) -> Tested:
        """Returns match to its result in the newest test. A module that has `measurement` alone measured no model."""
        found: Tested | None = getattr(self._module, "tested", None)
        if found is not None:
            return found
        return {Match(number, name): result for number, by in self.measurement.items() for name, result in by.items()}

    @property
    def iterations_done(self) -> int:
        """Returns the iterations that the weights have behind them. 0: none, or the module does not say."""
        return int(getattr(self._module, "iterations_done", 0))

    @property
    def network(self) -> PolicyValueNetwork | None:
        """Returns the network. None: the module has none of this project's."""
        found = getattr(self._module, "network", None)
        return found if isinstance(found, PolicyValueNetwork) else None


def run_data(trainer: Trainer) -> RunData:
    """Returns the facts of a trainer's data module; all are empty where it has none, or one that lacks them."""
    return RunData(getattr(trainer, "datamodule", None))


def results_of(pl_module: LightningModule) -> Results:
    """Returns what a module knows of its evaluations; all is empty where it keeps none."""
    return Results(pl_module)
