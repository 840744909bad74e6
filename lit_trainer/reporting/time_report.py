"""Where a run's time went: a table in the terminal at its end."""

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

PLAYING, LEARNING, EVALUATION, REST = "playing", "learning", "evaluation", "the rest"
_SHARES = ("forward", "tree", "encoding", "opponents", "waiting")
_COUNTS = ("games", "dropped_games")
_RATES = ("games", "positions", "simulations")


class TimeReport(Callback):
    """At the end of training, a table of what an iteration spent on playing, learning and evaluation, where self-play's
    time went, and how fast it was; of asynchronous generation also how long the trainer waited and how old games were.

    Works with any data module that has `generation_stats`, a dict of name to number that is new in every iteration,
    with ``seconds``, ``NAME_share`` and ``NAME_per_second`` in it; what it lacks is left out. Playing is what passes
    until an iteration's first batch is there. The table is of this run alone, also where it was resumed.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.iterations = 0
        self.seconds: defaultdict[str, float] = defaultdict(float)
        """Part of an iteration to its seconds, over all iterations."""
        self._sums: defaultdict[str, float] = defaultdict(float)  # of the statistics, each times its weight
        self._weights: defaultdict[str, float] = defaultdict(float)
        self._part = ""
        self._before_evaluation = ""
        self._since = 0.0
        self._began = 0.0  # the iteration

    # -- clock -----------------------------------------------------------------------------------------------------

    def _enter(self, part: str) -> str:
        """From now on time is that of another part; returns which it was before."""
        now, before = time.perf_counter(), self._part
        if before:
            self.seconds[before] += now - self._since
        self._part, self._since = part, now
        return before

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin()  # another fit is another report

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._enter(PLAYING)
        self._began = self._since

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
        self._add(run_data(trainer).logged_stats, time.perf_counter() - self._began)

    # -- statistics ------------------------------------------------------------------------------------------------

    def _add(self, stats: dict[str, float], seconds: float) -> None:
        """One iteration's statistics; means are weighted by what each number is a share, rate or mean of."""
        for name, value in stats.items():
            if name in _COUNTS:
                weight = 1.0
            elif name == "wait_share":
                weight = seconds
            elif name == "staleness":
                weight = stats.get("positions", 1.0)
            else:
                weight = stats.get("seconds", 1.0)
            self._sums[name] += value * weight
            self._weights[name] += weight

    def _mean(self, name: str) -> float | None:
        """Over all iterations; None where no iteration had it."""
        return self._sums[name] / self._weights[name] if self._weights[name] else None

    def table(self) -> Table:
        """What is printed."""
        asynchronous = self._mean("wait_share") is not None
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
        table.add_row("an iteration, seconds", f"{whole / self.iterations:.3f}")
        for part in (PLAYING, LEARNING, EVALUATION, REST):
            name = "waiting for games" if asynchronous and part == PLAYING else part
            table.add_row(
                f"  {name}",
                f"{self.seconds[part] / self.iterations:.3f}",
                f"{100 * self.seconds[part] / whole:.1f} %",
            )
        table.add_section()
        for name in _SHARES:
            if (share := self._mean(f"{name}_share")) is not None:
                table.add_row(f"self-play: {name}", "", f"{100 * share:.1f} %")
        table.add_section()
        for key in _RATES:
            if (rate := self._mean(f"{key}_per_second")) is not None:
                table.add_row(f"{key} a second of self-play", f"{rate:,.0f}")
        if (games := self._mean("games")) is not None:
            table.add_row("games a second of the run", f"{games * self.iterations / whole:,.0f}")
        if asynchronous:
            self._add_asynchronous(table)
        return table

    def _add_asynchronous(self, table: Table) -> None:
        table.add_section()
        table.add_row("the trainer waits for games", "", f"{100 * (self._mean('wait_share') or 0.0):.1f} %")
        table.add_row("staleness of positions, iterations", f"{self._mean('staleness') or 0.0:.2f}")
        table.add_row("games dropped, in all", f"{self._sums['dropped_games']:,.0f}")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._enter("")
        if trainer.is_global_zero and self._weights and self.iterations:
            Console().print(self.table())
