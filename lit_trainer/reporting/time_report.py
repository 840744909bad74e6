"""Shows where a run's time went: a table in the terminal at the run's end."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich import box
from rich.console import Console
from rich.table import Table

from lit_trainer.reporting.sources import run_data
from lit_trainer.self_play.stats import SelfPlayStats

PLAYING, LEARNING, EVALUATION, REST = "playing", "learning", "evaluation", "the rest"


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
        table = Table(
            title=f"Where the time went (means of {self.iterations} iterations)",
            title_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        table.add_column("part", no_wrap=True)
        for column in ("mean", "share"):
            table.add_column(column, justify="right", no_wrap=True)
        whole = sum(self.seconds.values())
        table.add_row("seconds per iteration", f"{whole / self.iterations:.3f}")
        for part in (PLAYING, LEARNING, EVALUATION, REST):
            name = "waiting for games" if stats.has_workers and part == PLAYING else part
            table.add_row(
                f"  {name}",
                f"{self.seconds[part] / self.iterations:.3f}",
                f"{100 * self.seconds[part] / whole:.1f} %",
            )
        table.add_section()
        for name, share in stats.shares.items():
            table.add_row(f"self-play: {name}", "", f"{100 * share:.1f} %")
        table.add_section()
        for name, count in (("games", stats.games), ("positions", stats.positions), ("simulations", stats.simulations)):
            table.add_row(f"{name} per second of self-play", f"{stats.per_second(count):,.0f}")
        table.add_row("games per second of the run", f"{stats.games / whole:,.0f}")
        if stats.has_workers:
            table.add_section()
            table.add_row("the trainer waits for games", "", f"{100 * stats.wait_share:.1f} %")
            table.add_row("staleness of positions, iterations", f"{stats.staleness:.2f}")
            table.add_row("games dropped, in all", f"{stats.dropped_games:,.0f}")
        return table

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._enter("")
        if trainer.is_global_zero and self.stats is not None:
            Console().print(self.table())
