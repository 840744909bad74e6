"""Looks for rare faults in long runs: ``python benchmarks/soak.py games``, ``... run`` and ``... objects``.

`games` plays millions of games and checks the rules' invariants after every turn, by numpy and not by the engine.
`run` trains in small iterations for an hour and shows whether memory and the iterations' time stay flat.
`objects` counts what Python keeps, which shows a leak of one object per iteration within seconds.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonargparse
import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from callbacks import AdaptiveOpponentCallback, GradNormCallback
from lit_trainer import (
    AdaptiveOpponentPool,
    AlphaZeroModule,
    EvaluationSettings,
    GenerationSettings,
    ReplaySettings,
    ResidualMLP,
    SelfPlayDataModule,
    WorkerSettings,
)
from sim_core import OPPONENTS, GameBatch
from sim_core.beasty_bar.rules import SPECIES

LAYOUT = np.dtype(
    [
        ("hand", "<u2", 2),
        ("bar", "<u2", 2),
        ("out", "<u2", 2),
        ("deck", "u1", (2, 8)),
        ("deck_size", "u1", 2),
        ("line", "u1", 5),
        ("line_size", "u1"),
        ("to_move", "u1"),
        ("ply", "u1"),
        ("scoring", "u1"),
        ("padding", "u1"),
    ]
)
"""Fields of a packed state. Sets of cards are bits of species; a deck holds species, the line owner * 12 + species."""
ALL = (1 << 12) - 1
POINTS = np.array([points for _, _, points in SPECIES])
BITS = np.array([bin(number).count("1") for number in range(ALL + 1)])

Rows = NDArray[Any]


class Broken(AssertionError):
    """Says which invariant does not hold, and in which position."""


def require(holds: NDArray[np.bool_], what: str, batch: GameBatch) -> None:
    """Raises `Broken` with the first position where something does not hold."""
    if not (rows := holds.reshape(len(batch), -1).all(axis=1)).all():
        raise Broken(f"{what}: {batch.state(int(np.argmin(rows)))}")


def line_sets(states: Rows) -> tuple[Rows, NDArray[np.int64]]:
    """Returns each player's animals in line as a set, and how many stand there twice."""
    found, twice = np.zeros((len(states), 2), np.uint16), np.zeros(len(states), np.int64)
    for place in range(5):
        waits = states["line_size"] > place
        owner, species = states["line"][:, place] // 12, states["line"][:, place] % 12
        for player in (0, 1):
            bit = np.where(waits & (owner == player), 1 << species.astype(np.uint16), 0).astype(np.uint16)
            twice += (found[:, player] & bit) > 0
            found[:, player] |= bit
    return found, twice


def deck_sets(states: Rows) -> Rows:
    """Returns each player's deck as a set."""
    found = np.zeros((len(states), 2), np.uint16)
    for place in range(8):
        there = states["deck_size"] > place
        found |= np.where(there, 1 << states["deck"][:, :, place].astype(np.uint16), 0).astype(np.uint16)
    return found


def check_position(batch: GameBatch, states: Rows, ply: int) -> None:
    """Checks what holds in every position between two turns (docs/rules.md)."""
    line, twice = line_sets(states)
    parts = [states["hand"], states["bar"], states["out"], deck_sets(states), line]
    everything = parts[0] | parts[1] | parts[2] | parts[3] | parts[4]
    require(everything == ALL, "a card is missing", batch)
    require(sum(BITS[part] for part in parts) == 12, "a card is in two places", batch)
    require(twice == 0, "a card is twice in line", batch)
    require(states["line_size"] <= 4, "five animals wait after a turn", batch)
    require(states["ply"] == ply, "turns are miscounted", batch)
    require(states["to_move"] == (states["to_move"][:1] if ply < 24 else states["to_move"]), "seats part", batch)
    played = np.stack([(ply + 1 - (states["to_move"] == k)) // 2 for k in (0, 1)], axis=1)
    hand = np.minimum(4, 12 - played)
    require((BITS[states["hand"]] == hand) | (ply == 24), "a hand is not refilled", batch)
    require((batch.legal_mask().any(axis=1)) == (ply < 24), "no action, or one after the end", batch)
    require(batch.is_terminal == (ply == 24), "the end is not at turn 24", batch)
    points = np.stack([((states["bar"][:, k, None] >> np.arange(12)) & 1) @ POINTS for k in (0, 1)], axis=1)
    require(batch.scores() == points, "scores are not the bar's points", batch)
    if ply == 24:
        require(batch.outcomes() == np.sign(points[:, 0] - points[:, 1]), "the outcome is not the scores'", batch)


def check_turn(batch: GameBatch, before: Rows, after: Rows) -> None:
    """Checks what holds between two positions, whatever was played."""
    rows = np.arange(len(before))
    mover = before["to_move"].astype(np.int64)
    require(after["to_move"] == 1 - mover, "the same player twice", batch)
    for name in ("bar", "out"):
        require((before[name] & ~after[name]) == 0, f"an animal came back from the {name}", batch)
    other = 1 - mover
    require(before["hand"][rows, other] == after["hand"][rows, other], "the waiting player's hand changed", batch)
    require(before["deck_size"][rows, other] == after["deck_size"][rows, other], "the waiting player drew", batch)
    gone = before["hand"][rows, mover] & ~after["hand"][rows, mover]
    drawn = after["hand"][rows, mover] & ~before["hand"][rows, mover]
    drew = before["deck_size"][rows, mover] > 0
    require(BITS[gone] == 1, "not one card was played", batch)
    require(BITS[drawn] == drew, "not one card was drawn", batch)
    top = before["deck"][rows, mover, np.maximum(before["deck_size"][rows, mover], 1) - 1]
    require(~drew | (drawn == 1 << top.astype(np.uint16)), "the card drawn was not the top one", batch)
    entered = sum(BITS[after["bar"][:, k] & ~before["bar"][:, k]] for k in (0, 1))
    require((entered == 0) | (entered == 2), "not two at a time entered the bar", batch)


def games(games: int = 10_000_000, batch_size: int = 100_000, seed: int = 1) -> None:
    """Plays and checks games, each batch between another pair of built-in opponents.

    Args:
        games: Number of games.
        batch_size: Games played side by side.
        seed: Random seed of deals and choices.
    """
    start, played = time.perf_counter(), 0
    names = list(OPPONENTS)
    while played < games:
        n = min(batch_size, games - played)
        number = played // batch_size
        sides = names[number % len(names)], names[number // len(names) % len(names)]
        batch = GameBatch(n, seed + number, first_player=number % 2)
        states = batch.packed().view(LAYOUT)[:, 0]
        for ply in range(25):
            check_position(batch, states, ply)
            if ply < 24:
                batch.step(batch.opponent_actions(sides[ply % 2], seed).astype(np.int64))
                before, states = states, batch.packed().view(LAYOUT)[:, 0]
                check_turn(batch, before, states)
        played += n
        if sys.stderr.isatty() or number % 10 == 9:
            print(f"{played:,} games, {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    print(f"{played:,} games, {24 * played:,} turns, every invariant held; {time.perf_counter() - start:.0f} s")


def memory_of(pid: int) -> tuple[float, float]:
    """Returns the MiB of a process's own memory, and of the memory that it shares."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    kib = {name: int(value.split()[0]) for name, value in fields.items()}
    return (kib["Private_Clean"] + kib["Private_Dirty"]) / 1024, (kib["Shared_Clean"] + kib["Shared_Dirty"]) / 1024


def children_of(pid: int) -> list[int]:
    """Returns the processes that a process started, and those that they started."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *children_of(child)]
    return found


class Watch(Callback):
    """Keeps memory and seconds of every iteration."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, float, float, float, int]] = []
        self._last = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        now = time.perf_counter()
        of_all = [memory_of(pid) for pid in (os.getpid(), *children_of(os.getpid()))]
        shm = sum(file.stat().st_size for file in Path("/dev/shm").iterdir() if file.is_file()) / 2**20
        files = len(list(Path("/proc/self/fd").iterdir()))
        self.rows.append((now - self._last, sum(own for own, _ in of_all), of_all[0][1], shm, files))
        self._last = now


def fit(callbacks: list[Callback], data: SelfPlayDataModule, network: ResidualMLP, **limits: Any) -> None:
    """Trains with these parts within limits, and writes nothing."""
    trainer = Trainer(
        **limits,
        accelerator="cpu",
        gradient_clip_val=1.0,
        check_val_every_n_epoch=10,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=callbacks,
    )
    trainer.fit(AlphaZeroModule(network), datamodule=data)


def run(minutes: float = 60.0, asynchronous: bool = False, games: int = 64, steps: int = 4) -> None:
    """Trains, and prints how memory and the iterations' time develop.

    Args:
        minutes: Minutes of training.
        asynchronous: Whether a worker process plays the games.
        games: Games per iteration.
        steps: Optimizer steps per iteration.
    """
    data = SelfPlayDataModule(
        opponent_pool=AdaptiveOpponentPool(snapshot_every=20, max_past=5),
        generation=GenerationSettings(games=games, simulations=8, parallel_games=games),
        evaluation=EvaluationSettings(games=20),
        replay=ReplaySettings(positions=10_000),
        workers=WorkerSettings() if asynchronous else None,
        steps_per_iteration=steps,
        batch_size=256,
    )
    watch = Watch()
    fit([watch], data, ResidualMLP(width=64, blocks=2), max_epochs=-1, max_time=timedelta(minutes=minutes))
    columns = ("iterations", "median seconds", "own MiB, all processes", "shared MiB", "/dev/shm MiB", "open files")
    table = Table(*columns, title=f"{len(watch.rows)} iterations")
    size = max(1, len(watch.rows) // 10)
    for first in range(0, len(watch.rows) - size + 1, size):
        part = list(zip(*watch.rows[first : first + size], strict=True))
        median = [statistics.median(column) for column in part]
        table.add_row(f"{first + 1}-{first + size}", f"{median[0]:.3f}", *(f"{value:.1f}" for value in median[1:]))
    Console(width=120).print(table)


class Objects(Callback):
    """Counts the objects that Python keeps, every thirty iterations."""

    def __init__(self) -> None:
        self.counted: list[int] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch % 30 == 29:
            gc.collect()
            self.counted.append(len(gc.get_objects()))


def objects(iterations: int = 120) -> None:
    """Trains in tiny iterations, and prints how many objects Python keeps after every thirty, as a list.

    Args:
        iterations: Number of iterations.
    """
    data = SelfPlayDataModule(
        opponent_pool=AdaptiveOpponentPool(["random"], 0.4, 0.3, snapshot_every=5, max_past=2),
        generation=GenerationSettings(games=8, simulations=1, parallel_games=8, threads=1),
        evaluation=EvaluationSettings(games=2),
        replay=ReplaySettings(positions=1000),
        steps_per_iteration=1,
        batch_size=16,
    )
    watch = Objects()
    callbacks = [watch, AdaptiveOpponentCallback(), GradNormCallback()]
    fit(callbacks, data, ResidualMLP(width=8, blocks=1), max_epochs=iterations)
    print(json.dumps(watch.counted))


main = {"games": games, "run": run, "objects": objects}

if __name__ == "__main__":
    jsonargparse.auto_cli(main)
