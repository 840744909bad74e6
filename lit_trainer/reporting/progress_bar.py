"""Shows the progress of a run: games per second while games are generated, losses while the network learns."""

from __future__ import annotations

import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar

from lit_trainer.reporting.sources import run_data


class SelfPlayProgressBar(RichProgressBar):
    """Shows Lightning's rich progress bar with one more line, for the games being played.

    Works with any data module that has a list `on_progress` of functions. Each takes the number of games played so far
    and the total number of games.

    Args:
        **kwargs: Arguments of Lightning's `RichProgressBar`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._games_task: Any = None
        self._label = "Self-play"
        self._started = 0.0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Begins without games: a run that was interrupted may have left some half played."""
        super().setup(trainer, pl_module, stage)
        self._games_task = None

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Stops following games."""
        self._stop_listening(trainer)
        super().on_exception(trainer, pl_module, exception)

    def _listen(self, trainer: Trainer, label: str) -> None:
        self._label = label
        listeners = run_data(trainer).on_progress
        if listeners is not None and self._show_games not in listeners:
            listeners.append(self._show_games)

    def _stop_listening(self, trainer: Trainer) -> None:
        listeners = run_data(trainer).on_progress
        if listeners is not None and self._show_games in listeners:
            listeners.remove(self._show_games)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts to follow the games of self-play."""
        super().on_train_start(trainer, pl_module)
        self._listen(trainer, "Self-play")

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts to follow the games of the matches."""
        super().on_test_start(trainer, pl_module)
        self._listen(trainer, "Matches")
        self._started = time.perf_counter()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock of an iteration's games."""
        super().on_train_epoch_start(trainer, pl_module)
        self._started = time.perf_counter()  # games are generated at the first batch of the epoch

    def _show_games(self, played: float, total: int) -> None:
        if self.progress is None or self.is_disabled:
            return
        if self._games_task is None:
            self._games_task = self._add_task(total, self._label)
        seconds = time.perf_counter() - self._started
        self.progress.update(
            self._games_task,
            completed=played,
            description=f"{self._label}, {played / max(seconds, 1e-9):,.0f} games/s",
            visible=True,
        )
        if played >= total:
            self.progress.update(self._games_task, visible=False)
            self._games_task = None
        self.refresh()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops following games."""
        self._stop_listening(trainer)
        super().on_train_end(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops following games."""
        self._stop_listening(trainer)
        super().on_test_end(trainer, pl_module)
