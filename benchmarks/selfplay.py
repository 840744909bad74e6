"""Speed of self-play and where its time goes: ``python benchmarks/selfplay.py [--simulations 32] [--games 512]``."""

from __future__ import annotations

import statistics
import time

import jsonargparse
import torch
from rich.console import Console
from rich.table import Table

from lit_trainer import ResidualMLP, TorchEvaluator, generate_games_batched_by_opponent
from lit_trainer.game_generator import OpponentGames
from lit_trainer.opponent_pool import SELF_PLAY
from lit_trainer.players import NetworkPlayer


def forward_rate(network: ResidualMLP, batch: int, calls: int = 40) -> float:
    """Evaluations a second of the forward pass alone."""
    inputs = torch.randn(batch, network.observation_size)
    with torch.inference_mode():
        network(inputs)
        start = time.perf_counter()
        for _ in range(calls):
            network(inputs)
    return batch * calls / (time.perf_counter() - start)


def main(simulations: int = 32, games: int = 512, threads: int = 2, runs: int = 5) -> None:
    """Play `games` of self-play `runs` times and print medians.

    Args:
        simulations: a move.
        games: played side by side.
        threads: for tree work; torch takes its own.
        runs: the median of these is shown.
    """
    torch.manual_seed(0)
    network = ResidualMLP()
    ceilings, stats = [], []
    with TorchEvaluator(network) as evaluate:
        for seed in range(runs):
            ceilings.append(forward_rate(network, games))
            learner = NetworkPlayer(
                evaluate, simulations=simulations, temperature=1.0, seed=seed, dirichlet_fraction=0.25, threads=threads
            )
            played = generate_games_batched_by_opponent(
                learner,
                [OpponentGames(SELF_PLAY, games, None)],
                game="beasty_bar",
                seed=seed,
                parallel_games=games,
            )
            stats.append(played.stats)
    table = Table(title=f"Self-play, {games} games, {simulations} simulations, median of {runs}")
    table.add_column("what")
    table.add_column("measured", justify="right")
    for key in ("games_per_second", "positions_per_second", "evaluations_per_second"):
        table.add_row(key.replace("_", " "), f"{statistics.median(s[key] for s in stats):,.0f}")
    table.add_row(
        "share of the time in the forward pass", f"{statistics.median(s['forward_share'] for s in stats):.2f}"
    )
    table.add_row("forward pass alone, evaluations a second", f"{statistics.median(ceilings):,.0f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    jsonargparse.auto_cli(main)
