"""Measures the engine alone, with one thread and two: ``python benchmarks/engine.py``. Prints medians of runs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import jsonargparse
import numpy as np
from rich.console import Console
from rich.table import Table

from sim_core import OPPONENTS, GameBatch, get_game, search


def median_rate(work: Callable[[], int], runs: int) -> float:
    """Returns the median over runs of the count per second that `work` reaches."""
    rates = []
    for _ in range(runs):
        start = time.perf_counter()
        count = work()
        rates.append(count / (time.perf_counter() - start))
    return statistics.median(rates)


def random_games(threads: int, n: int = 20_000) -> int:
    GameBatch(n, 1).play_random(threads=threads)
    return n


def against_random(name: str, n: int = 2_000) -> int:
    batch = GameBatch(n, 5)
    while not batch.is_terminal.all():
        rows = np.arange(n)
        mover = batch.to_move
        actions = np.empty(n, dtype=np.int64)
        for player, opponent in enumerate((name, "random")):
            mine = rows[mover == player]
            actions[mine] = batch.opponent_actions(opponent, 7, rows=mine)
        batch.step(actions)
    return n


def neutral(observations: np.ndarray, legal_mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Answers as a network does, at next to no cost: the same logits for all actions, and value 0."""
    return np.zeros(legal_mask.shape, dtype=np.float32), np.zeros(len(legal_mask), dtype=np.float32)


def simulations(threads: int, games: int = 1_024, each: int = 32) -> int:
    search(GameBatch(games, 3), neutral, each, threads=threads)
    return games * each


def turns(n: int = 4_096) -> tuple[GameBatch, list[np.ndarray]]:
    """Returns a batch of deals, and legal actions for all their 24 turns."""
    batch = GameBatch(n, 1)
    actions = []
    while not batch.is_terminal.all():
        actions.append(batch.opponent_actions("random", 3).astype(np.int64))
        batch.step(actions[-1])
    return GameBatch(n, 1), actions


def steps(batch: GameBatch, actions: list[np.ndarray]) -> int:
    """Plays all turns in a copy, because a batch steps in place. Copying costs less than one of the 24 turns."""
    batch = GameBatch.from_packed(batch.packed())
    for ids in actions:
        batch.step(ids)
    return len(batch) * len(actions)


def observations(batch: GameBatch, out: np.ndarray, times: int = 20) -> int:
    for _ in range(times):
        batch.observe(out=out)
    return len(batch) * times


def endgames(player: str, n: int = 2_000) -> list[bytes]:
    """Returns positions at ply 16, as `player` reaches them against itself."""
    batch = GameBatch(n, 3)
    while batch.ply[0] < 16:
        batch.step(batch.opponent_actions(player, 1))
    return [row.tobytes() for row in batch.packed()]


def endgame_microseconds(states: list[bytes], solve: Callable[[bytes], object], runs: int) -> float:
    """Returns the microseconds per position. A quarter of a microsecond of it is Python's overhead."""

    def work() -> int:
        for state in states:
            solve(state)
        return len(states)

    return 1e6 / median_rate(work, runs)


def main(runs: int = 7) -> None:
    """Measures each row `runs` times and prints medians.

    Args:
        runs: Number of runs. Their median is shown.
    """
    table = Table(title=f"Engine, medians of {runs} runs")
    table.add_column("what")
    table.add_column("per second", justify="right")
    dealt, actions = turns()
    middle = GameBatch.from_packed(dealt.packed())
    for ids in actions[:10]:
        middle.step(ids)
    out = np.empty((len(middle), middle.observation_size), dtype=np.float32)
    rows: list[tuple[str, Callable[[], int]]] = [
        ("random games, 1 thread", lambda: random_games(1)),
        ("random games, 2 threads", lambda: random_games(2)),
        ("turns, batches of 4,096 stepped from Python, 1 thread", lambda: steps(dealt, actions)),
        ("observations, batches of 4,096 into one buffer, 1 thread", lambda: observations(middle, out)),
        ("simulations from the deal, neutral evaluator, 1 thread", lambda: simulations(1)),
        ("simulations from the deal, neutral evaluator, 2 threads", lambda: simulations(2)),
        *((f"games of {name} against random, 1 thread", lambda name=name: against_random(name)) for name in OPPONENTS),
    ]
    for label, work in rows:
        table.add_row(label, f"{median_rate(work, runs):,.0f}")
    rules = get_game("beasty_bar")
    for player in ("random", "outcome_heuristic"):
        states = endgames(player)
        for what, solve in (("endgame", rules.solve), ("all best actions", rules.optimal_actions)):
            spent = endgame_microseconds(states, solve, runs)
            table.add_row(f"{what} at ply 16, {player} play, microseconds", f"{spent:.1f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    jsonargparse.auto_cli(main)
