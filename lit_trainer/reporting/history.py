"""Keeps each opponent's score over the iterations."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from lit_trainer.reporting.sources import results_of


class EvaluationHistory(Callback):
    """Keeps each opponent's score over the iterations, across a resume too: what is shown of it is a subclass's.

    Works with any module that has `evaluation`, a dict of opponent to `MatchResult`.
    """

    def __init__(self) -> None:
        self.history: dict[str, dict[int, float]] = {}
        """Opponent to iteration to score."""

    def state_dict(self) -> dict[str, Any]:
        return {"history": {name: dict(scores) for name, scores in self.history.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = {name: dict(scores) for name, scores in state_dict["history"].items()}

    def _iteration(self, trainer: Trainer, pl_module: LightningModule) -> int:
        # within a run the weights evaluated are those at the epoch's end; outside the run's loops are not restored
        fitting = trainer.state.fn == "fit"
        return trainer.current_epoch + 1 if fitting else results_of(pl_module).iterations_done

    def _record(self, iteration: int, pl_module: LightningModule) -> None:
        for name, result in results_of(pl_module).evaluation.items():
            self.history.setdefault(name, {})[iteration] = result.score
