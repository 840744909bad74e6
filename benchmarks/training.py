"""Measures whole iterations, learning included, and where their time goes: ``python benchmarks/training.py``."""

from __future__ import annotations

import statistics
import time
import warnings
from typing import Any

import jsonargparse
import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console
from rich.table import Table

from callbacks import EntropyScheduleCallback, GradNormCallback
from lit_trainer import AlphaZeroModule, GenerationSettings, ResidualMLP, SelfPlayDataModule, WorkerSettings


class Clock(Callback):
    """Keeps the seconds of every iteration and of its parts."""

    def __init__(self) -> None:
        self.iterations: list[float] = []
        self.stats: list[dict[str, float]] = []
        self._started = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.iterations.append(time.perf_counter() - self._started)
        self.stats.append(trainer.datamodule.generation_stats.to_log())  # type: ignore[attr-defined]

    @property
    def learning(self) -> float:
        """Returns the median seconds of learning per iteration, without the first iteration."""
        parts = zip(self.iterations[1:], self.stats[1:], strict=True)
        return statistics.median(seconds - stats["seconds"] for seconds, stats in parts)

    def median(self, name: str) -> float:
        """Returns the median of a number of self-play, without the first iteration."""
        return statistics.median(stats[name] for stats in self.stats[1:])


def bare_trainer(clock: Clock, iterations: int, **options: Any) -> Trainer:
    """Returns a trainer that only learns, on CPUs, for `iterations` after a first one that does not count."""
    return Trainer(
        max_epochs=iterations + 1,
        accelerator="cpu",
        gradient_clip_val=1.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        callbacks=[clock, GradNormCallback(), EntropyScheduleCallback()],
        **{"devices": 1, **options},
    )


def seconds_of(work: Any, times: int) -> float:
    """Returns the median seconds of a call."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def main(
    games: int = 512,
    steps: int = 40,
    batch: int = 1024,
    simulations: int = 32,
    evaluator: str = "torch",
    iterations: int = 7,
    asynchronous: bool = False,
) -> None:
    """Trains for some iterations with the settings of two CPU cores, and prints medians.

    Args:
        games: Games per iteration.
        steps: Optimizer steps per iteration.
        batch: Positions per step.
        simulations: Simulations per move.
        evaluator: Kind of evaluator in self-play.
        iterations: Number of iterations. The first one does not count.
        asynchronous: Whether a worker with one thread plays while the trainer learns, on torch's threads.
    """
    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    module = AlphaZeroModule(ResidualMLP())
    data = SelfPlayDataModule(
        generation=GenerationSettings(
            games=games,
            simulations=simulations,
            evaluator=evaluator,
            parallel_games=512,
            threads=1 if asynchronous else 2,
        ),
        workers=WorkerSettings() if asynchronous else None,
        steps_per_iteration=steps,
        batch_size=batch,
    )
    clock = Clock()
    trainer = bare_trainer(clock, iterations)
    trainer.fit(module, datamodule=data)
    whole = statistics.median(clock.iterations[1:])
    # what the trainer spends on games; where workers play them, it only waits
    waiting = statistics.median(
        stats.get("wait_share", 0.0) * seconds
        for stats, seconds in zip(clock.stats[1:], clock.iterations[1:], strict=True)
    )
    generation = waiting if asynchronous else clock.median("seconds")
    generator = np.random.default_rng(0)
    sampling = steps * seconds_of(lambda: data.window.sample(batch, generator), 20)
    rows = data.window.sample(batch, generator)
    module.trainer = None  # type: ignore[assignment]
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)

    def learn() -> None:
        optimizer.zero_grad()
        module.loss(rows).total.backward()
        optimizer.step()

    learning = steps * seconds_of(learn, 20)
    table = Table(title=f"An iteration: {games} games of {simulations} simulations, {steps} steps of {batch} positions")
    table.add_column("part")
    table.add_column("seconds", justify="right")
    table.add_column("share", justify="right")
    rest = whole - generation - sampling - learning
    for name, spent in (
        ("the whole iteration", whole),
        ("waiting for games" if asynchronous else "playing the games", generation),
        ("sampling and encoding batches", sampling),
        ("forward, backward and optimizer step", learning),
        ("the rest: Lightning, callbacks, replay", rest),
    ):
        table.add_row(name, f"{spent:.2f}", f"{spent / whole:.2f}")
    table.add_section()
    games_of = sum(stats["games"] for stats in clock.stats[1:])
    table.add_row("games per second of the run", f"{games_of / sum(clock.iterations[1:]):,.0f}")
    table.add_row("games per second of self-play", f"{clock.median('games_per_second'):,.0f}")
    if asynchronous:
        table.add_row("the trainer waits for games", "", f"{clock.median('wait_share'):.2f}")
        table.add_row("staleness, iterations", f"{clock.median('staleness'):.2f}")
        table.add_row("games dropped, in all", f"{sum(stats['dropped_games'] for stats in clock.stats):,.0f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    jsonargparse.auto_cli(main)
