"""Shows the gain of several processes: ``python benchmarks/scaling.py``. Measures one and two, and estimates more.

Each process gets one thread, so that each of two processes has one core of a machine of two.
"""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jsonargparse
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from lightning.pytorch.plugins.environments import TorchElasticEnvironment
from rich.console import Console
from rich.table import Table
from training import Clock, bare_trainer, seconds_of

from lit_trainer import AlphaZeroModule, EvaluationSettings, GenerationSettings, ResidualMLP, SelfPlayDataModule
from lit_trainer.checkpoints.writer import AtomicCheckpointIO
from lit_trainer.learning.distributed import gather_windows
from lit_trainer.learning.replay import ReplayWindow
from sim_core import GameBatch

SMALL = 64
"""Positions of the small batch. Two batch sizes tell a step's fixed cost from that of its positions."""


@dataclass(frozen=True)
class Iteration:
    """Describes the work of an iteration of ``configs/iter0_to_600.yaml``."""

    games: int = 8192
    steps: int = 288
    batch: int = 1024
    window: int = 800_000
    evaluation_games: int = 4000
    evaluate_every: int = 25


@dataclass(frozen=True)
class Costs:
    """Holds measured times, in seconds."""

    game: float
    """One game of self-play, by one process."""
    evaluation_game: float
    step: float
    """An optimizer step by Lightning, without what depends on the batch size."""
    position: float
    """Each position of a step's batch, sampling and encoding included."""
    hop: float
    """An all-reduce of one number between two processes."""
    reduce: float
    """Seconds that an all-reduce of the gradients between two processes takes beyond that."""
    wait: float
    """Seconds per step of two processes beyond the step and the all-reduce, mostly spent waiting for the slower one."""
    write: float
    """Writing a checkpoint with the whole window."""
    gather: float
    """Sending half of the window from one process to another."""

    def all_reduce(self, ranks: int) -> float:
        """Returns what a step costs because it is one of several: the wait, and a ring's all-reduce.

        In a ring ``2 (ranks - 1)`` messages follow one another, each with one rank's share of the gradients.
        """
        return (ranks > 1) * self.wait + (ranks - 1) * self.hop + 2 * (ranks - 1) / ranks * self.reduce

    def seconds(self, work: Iteration, ranks: int, *, divided: bool = True) -> float:
        """Returns the seconds of an iteration whose work is divided among the ranks, or given whole to each of them."""
        share, windows = (1 / ranks, 1) if divided else (1.0, ranks)
        evaluation = work.evaluation_games * self.evaluation_game / work.evaluate_every / ranks
        learning = work.steps * (self.step + work.batch * share * self.position + self.all_reduce(ranks))
        moved = 2 * self.gather * windows * (ranks - 1) / ranks
        return work.games * share * self.game + learning + evaluation + self.write * windows + moved


def _fit(world: int, games: int, steps: int, batch: int, iterations: int) -> tuple[Clock, SelfPlayDataModule]:
    """Fits a real run of this process among `world`, without loggers and checkpoints."""
    data = SelfPlayDataModule(
        generation=GenerationSettings(games=games, threads=1),
        evaluation=EvaluationSettings(games=100),
        steps_per_iteration=steps,
        batch_size=batch,
    )
    clock = Clock()
    trainer = bare_trainer(clock, iterations, strategy="ddp", plugins=[TorchElasticEnvironment()], devices=world)
    trainer.fit(AlphaZeroModule(ResidualMLP()), datamodule=data)
    return clock, data


def _window(positions: int) -> ReplayWindow:
    window = ReplayWindow(positions)
    empty = window.state_dict()
    full = {
        key: torch.ones((positions, *value.shape[1:]), dtype=value.dtype) if isinstance(value, torch.Tensor) else value
        for key, value in empty.items()
    }
    states = torch.from_numpy(GameBatch(positions, 1).packed())
    window.load_state_dict(full | {"states": states, "added": positions})
    return window


def _measure(
    rank: int, world: int, port: int, folder: str, games: int, iterations: int, positions: int, steps: int
) -> None:
    """Measures this process's part. The first process writes the results."""
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world)}
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "GROUP_RANK": "0", "LOCAL_WORLD_SIZE": str(world)}
    found: dict[str, float] = {}
    small, _ = _fit(world, 16, 4 * steps, SMALL, iterations)
    found["small_step"] = small.learning / (4 * steps)
    large, data = _fit(world, games, steps, 1024, iterations)
    found["large_step"] = large.learning / steps
    found["games_per_second"] = large.median("games_per_second")
    loaders = data.val_dataloader()
    played = seconds_of(lambda: [next(iter(loader)) for loader in loaders], iterations)
    found["evaluation_games_per_second"] = data.evaluation.games * len(loaders) / played
    parameters = sum(parameter.numel() for parameter in ResidualMLP().parameters())
    found["parameters"] = parameters
    for name, numbers in (("hop", 1), ("all_reduce", parameters)):
        gradients = torch.zeros(numbers)
        found[name] = seconds_of(lambda gradients=gradients: dist.all_reduce(gradients), 10 * steps)  # type: ignore[misc]
    half = _window(positions // 2)
    found["gather"] = seconds_of(lambda: gather_windows(half.state_dict(), torch.device("cpu")), iterations)
    if rank == 0:
        window = _window(positions)
        path = Path(folder) / "last.ckpt"
        write = AtomicCheckpointIO().save_checkpoint
        found["write"] = seconds_of(lambda: write({"replay": window.state_dict()}, path), iterations)
        torch.save(found, f"{folder}/{world}.pt")
    dist.barrier()
    dist.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def costs(one: dict[str, float], two: dict[str, float], batch: int = 1024) -> Costs:
    """Returns the costs that `Costs.seconds` uses, from measurements with one and with two processes."""
    position = (one["large_step"] - one["small_step"]) / (batch - SMALL)
    return Costs(
        game=1 / one["games_per_second"],
        evaluation_game=1 / one["evaluation_games_per_second"],
        step=one["small_step"] - SMALL * position,
        position=position,
        hop=two["hop"],
        reduce=two["all_reduce"] - two["hop"],
        wait=max(0.0, two["small_step"] - one["small_step"] - two["all_reduce"]),
        write=one["write"],
        gather=two["gather"],
    )


def last_worthwhile(speed: Callable[[int], float], most: int = 4096) -> int:
    """Returns the number of ranks from which on one more gains less than half of what the first did."""
    return next((ranks for ranks in range(1, most) if speed(ranks + 1) - speed(ranks) < 0.5), most)


def _tables(one: dict[str, float], two: dict[str, float], parameters: int) -> None:
    console, work, found = Console(width=110), Iteration(), costs(one, two)
    table = Table(title="Measured, one thread per process")
    for column in ("what", "one process", "two"):
        table.add_column(column, justify="left" if column == "what" else "right")
    rows = (
        ("games of self-play per second, all processes", "games_per_second", 1.0, ".0f"),
        ("games of evaluation per second, all processes", "evaluation_games_per_second", 1.0, ",.0f"),
        ("a step of 1,024 positions each, ms", "large_step", 1e3, ".1f"),
        (f"a step of {SMALL} positions each, ms", "small_step", 1e3, ".1f"),
        ("all-reduce of one number, ms", "hop", 1e3, ".2f"),
        (f"all-reduce of {parameters:,} numbers, ms", "all_reduce", 1e3, ".2f"),
        ("writing a checkpoint with the whole window, s", "write", 1.0, ".2f"),
        ("gathering a window of half that size from each, s", "gather", 1.0, ".2f"),
    )
    for name, key, scale, form in rows:
        lonely = key in ("hop", "all_reduce", "gather")
        table.add_row(name, "" if lonely else f"{one[key] * scale:{form}}", f"{two[key] * scale:{form}}")
    console.print(table)
    table = Table(title="Estimated: an iteration of configs/iter0_to_600.yaml")
    for column in ("ranks", "divided, s", "times as fast", "kept, s", "times the games per second"):
        table.add_column(column, justify="right")
    alone = found.seconds(work, 1)

    def divided(ranks: int) -> float:
        return alone / found.seconds(work, ranks)

    def kept(ranks: int) -> float:
        return ranks * alone / found.seconds(work, ranks, divided=False)

    for ranks in (1, 2, 4, 8, 16, 32, 64):
        times = (found.seconds(work, ranks), found.seconds(work, ranks, divided=False))
        cells = (times[0], divided(ranks), times[1], kept(ranks))
        table.add_row(str(ranks), *(f"{cell:.1f}" for cell in cells))
    console.print(table)
    console.print(
        f"One more rank gains less than half of its share from {last_worthwhile(divided)} ranks on (work divided), "
        f"from {last_worthwhile(kept)} on (work kept)."
    )


def main(games: int = 256, iterations: int = 5, positions: int = 800_000, steps: int = 30) -> None:
    """Measures with one process and with two, and prints what follows for more.

    Args:
        games: Games of self-play per iteration, for each process.
        iterations: Iterations measured after a first one that does not count. Medians are shown.
        positions: Positions of the replay window in a checkpoint.
        steps: Optimizer steps per iteration with 1,024 positions each. Small batches get four times that number.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        for world in (1, 2):
            arguments = (world, _free_port(), folder, games, iterations, positions, steps)
            mp.spawn(_measure, arguments, nprocs=world)
        one, two = (torch.load(f"{folder}/{world}.pt", weights_only=True) for world in (1, 2))
    _tables(one, two, int(one["parameters"]))


if __name__ == "__main__":
    jsonargparse.auto_cli(main)
