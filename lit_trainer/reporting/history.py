"""Keeps each opponent's score over the iterations, once for all callbacks of a trainer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from weakref import ref

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_warn

from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.reporting.sources import results_of

_STATE = "history"  # the key in a callback's state


class EvaluationHistory:
    """Holds the scores of all evaluations of a run."""

    def __init__(self) -> None:
        self.scores: dict[str, dict[int, float]] = {}
        """Opponent to iteration to score."""
        self.before: dict[str, float] = {}
        """Opponent to the last score from before the newest evaluation."""
        self._recorded = False
        self._outside: dict[str, dict[int, float]] = {}
        self._module: ref[LightningModule] | None = None

    def begin_run(self, module: LightningModule) -> None:
        """Forgets the scores of another run. Those of this module from evaluations since then are kept."""
        is_of_module = self._module is not None and self._module() is module
        self.restore(self._outside if is_of_module else {})
        self.before, self._outside, self._module = {}, {}, None

    def begin(self) -> None:
        """Notes that a new evaluation begins. Every callback may say so; the results are recorded once."""
        self._recorded = False

    def record(
        self, iteration: int, results: Mapping[str, MatchResult], outside_run: LightningModule | None = None
    ) -> None:
        """Adds the results of an evaluation, unless another callback has done it.

        Args:
            iteration: Iterations done when the evaluation was played.
            results: Opponent to the result of its match.
            outside_run: The module, if it was not evaluated within its run. None: it was.
        """
        if self._recorded:
            return
        self._recorded = True
        self.before = {name: list(scores.values())[-1] for name, scores in self.scores.items() if scores}
        kept = [self.scores]
        if outside_run is not None:
            if self._module is None or self._module() is not outside_run:
                self._outside, self._module = {}, ref(outside_run)
            kept.append(self._outside)
        for scores in kept:
            for name, result in results.items():
                scores.setdefault(name, {})[iteration] = result.score

    def restore(self, scores: Mapping[str, Mapping[int, float]]) -> None:
        """Puts the scores of a checkpoint in the place of those held."""
        self.scores = {name: dict(values) for name, values in scores.items()}


def is_new_run(trainer: Trainer, stage: str) -> bool:
    """Returns whether a run begins at set-up. A trainer that has done epochs goes on with the run that it stopped."""
    return stage == "fit" and trainer.current_epoch == 0


@contextmanager
def ends_no_run(what: str) -> Iterator[None]:
    """Turns an error into a warning, for what only shows a run: a figure is not worth the games played so far."""
    try:
        yield
    except Exception as error:
        rank_zero_warn(f"{what} is left out: {type(error).__name__}: {error}")


class EvaluationCallback(Callback):
    """Shows evaluations and their history, which goes on across a resume: how is a subclass's.

    The first such callback on a trainer keeps the history of all of them, so a checkpoint holds it once. Works with any
    module that has `evaluation`, a dict of opponent to `MatchResult`.
    """

    def __init__(self) -> None:
        self._own = self._history = EvaluationHistory()
        self._keeps = True

    @property
    def history(self) -> dict[str, dict[int, float]]:
        """Returns opponent to iteration to score."""
        return self._history.scores

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Shares the history of the first of the trainer's callbacks that has one. A new run begins a new one."""
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        keeper = next((found for found in callbacks if isinstance(found, EvaluationCallback)), self)
        self._keeps = keeper is self
        self._history = keeper._own
        if self._keeps and is_new_run(trainer, stage):
            self._own.begin_run(pl_module)

    def state_dict(self) -> dict[str, Any]:
        """Returns the history, if this callback is the one that keeps it."""
        return {_STATE: {name: dict(scores) for name, scores in self.history.items()}} if self._keeps else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the history, if the state holds one."""
        if _STATE in state_dict:
            self._history.restore(state_dict[_STATE])

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Restores the history from whichever callback kept it, in the place of the one held.

        The keeper may be gone from the configuration, and in a checkpoint of an earlier version each callback has the
        history.
        """
        names = {kind.__qualname__ for kind in (*EvaluationCallback.__subclasses__(), type(self))}
        states = checkpoint.get("callbacks", {}).items()
        kept = [state[_STATE] for key, state in states if key.split("{")[0] in names and state.get(_STATE)]
        self._history.restore(kept[0] if kept else {})

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Expects new results."""
        self._history.begin()

    def iteration(self, trainer: Trainer, pl_module: LightningModule) -> int:
        """Returns the iteration whose weights are evaluated."""
        # within a run the weights evaluated are those at the epoch's end; outside the run's loops are not restored
        return trainer.current_epoch + 1 if trainer.state.fn == "fit" else results_of(pl_module).iterations_done

    def record(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Adds the module's newest results to the history."""
        outside_run = None if trainer.state.fn == "fit" else pl_module
        self._history.record(self.iteration(trainer, pl_module), results_of(pl_module).evaluation, outside_run)
