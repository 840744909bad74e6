"""Shows where a run's time went: a table in the terminal at the run's end."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any, NamedTuple

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.table import Table

from lit_trainer.reporting.sources import run_data
from lit_trainer.reporting.tables import Column, build_table, print_table
from lit_trainer.self_play.stats import SelfPlayStats

PLAYING, LEARNING, EVALUATION, REST = "playing", "learning", "evaluation", "the rest"


class _Row(NamedTuple):
    part: str
    mean: str = ""
    share: str = ""


_COLUMNS = (
    Column[_Row]("part", lambda row: row.part, left=True),
    Column[_Row]("mean", lambda row: row.mean),
    Column[_Row]("share", lambda row: row.share),
)


class TimeReport(Callback):
    """Prints a table at the end of training: how long an iteration takes to play, learn and evaluate.

    The table also shows where self-play's time went and how fast it was. If workers play, it shows how long the
    trainer waited and how old the games were. "Playing" is the time until an iteration's first batch is ready. The
    table covers this run alone, also if it was resumed.

    It needs a data module whose `generation_stats` is a `SelfPlayStats`, new in every iteration. Otherwise it prints
    nothing.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.iterations = 0
        self.seconds: defaultdict[str, float] = defaultdict(float)
        """Part of an iteration to its seconds, over all iterations."""
        self.stats: SelfPlayStats | None = None
        """Statistics of all iterations' games. None: no data module offers any."""
        self._part = ""
        self._before_evaluation = ""
        self._since = 0.0

    # -- clock -----------------------------------------------------------------------------------------------------

    def _enter(self, part: str) -> str:
        """Counts the time from now on for another part, and returns which part it was before."""
        now, before = time.perf_counter(), self._part
        if before:
            self.seconds[before] += now - self._since
        self._part, self._since = part, now
        return before

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin()  # another fit gets its own report

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._enter(PLAYING)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if self._part == PLAYING:
            self._enter(LEARNING)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.is_last_batch:
            self._enter(REST)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._part:  # in training, and not before its start
            self._before_evaluation = self._enter(EVALUATION)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._part == EVALUATION:
            self._enter(self._before_evaluation)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.iterations += 1
        stats = run_data(trainer).generation_stats
        if isinstance(stats, SelfPlayStats):
            self.stats = stats if self.stats is None else self.stats + stats

    # -- table -----------------------------------------------------------------------------------------------------

    def table(self) -> Table:
        """Returns what is printed.

        Raises:
            ValueError: No iteration has ended yet.
        """
        if not self.iterations:
            raise ValueError("iterations: 0 have ended, expected at least one")
        stats = self.stats or SelfPlayStats()
        whole = sum(self.seconds.values())
        iteration = [_Row("seconds per iteration", f"{whole / self.iterations:.3f}")]
        for part in (PLAYING, LEARNING, EVALUATION, REST):
            name = "waiting for games" if stats.has_workers and part == PLAYING else part
            seconds = self.seconds[part]
            iteration.append(_Row(f"  {name}", f"{seconds / self.iterations:.3f}", f"{100 * seconds / whole:.1f} %"))
        shares = [_Row(f"self-play: {name}", share=f"{100 * share:.1f} %") for name, share in stats.shares.items()]
        counts = {"games": stats.games, "positions": stats.positions, "simulations": stats.simulations}
        speeds = [
            *(_Row(f"{name} per second of self-play", f"{stats.per_second(n):,.0f}") for name, n in counts.items()),
            _Row("games per second of the run", f"{stats.games / whole:,.0f}"),
        ]
        waiting = [
            _Row("the trainer waits for games", share=f"{100 * stats.wait_share:.1f} %"),
            _Row("staleness of positions, iterations", f"{stats.staleness:.2f}"),
            _Row("games dropped, in all", f"{stats.dropped_games:,.0f}"),
        ]
        title = f"Where the time went (means of {self.iterations} iterations)"
        return build_table(title, _COLUMNS, iteration, shares, speeds, waiting if stats.has_workers else [])

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._enter("")
        if trainer.is_global_zero and self.stats is not None:
            print_table(self.table())
