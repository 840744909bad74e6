"""Measures self-play, where its time goes, and its roofline: ``python benchmarks/selfplay.py [--simulations 32]``."""

from __future__ import annotations

import statistics

import jsonargparse
import torch
from evaluators import own_products, rate
from rich.console import Console
from rich.table import Table

from lit_trainer import ResidualMLP, generate_games_batched_by_opponent, make_evaluator
from lit_trainer.players.engine_players import BuiltinPlayer
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.specs import SELF_PLAY
from lit_trainer.self_play.games import GeneratedGames, OpponentGames
from lit_trainer.self_play.lanes import LANES, LaneMemory
from sim_core import OPPONENTS, SearchSettings

SHARES = ("forward", "tree", "encoding", "opponents", "waiting")


def play(network: ResidualMLP, kind: str, plan: dict[str, int], seed: int, **options: int) -> GeneratedGames:
    """Plays a plan's games as an iteration of training does."""
    games = [OpponentGames(n, c, None if n == SELF_PLAY else BuiltinPlayer(n, seed)) for n, c in plan.items()]
    with make_evaluator(network, kind) as evaluate:
        learner = NetworkPlayer(
            evaluate,
            simulations=options["simulations"],
            temperature=1.0,
            seed=seed,
            threads=options["threads"],
            settings=SearchSettings(dirichlet_fraction=0.25),
        )
        return generate_games_batched_by_opponent(
            learner, games, game="beasty_bar", seed=seed, parallel_games=options["parallel"], memory=MEMORY[kind]
        )


MEMORY: dict[str, LaneMemory] = {}


def main(
    simulations: int = 32,
    games: int = 2048,
    parallel: int = 512,
    threads: int = 2,
    width: int = 256,
    blocks: int = 4,
    kinds: list[str] = ["torch", "onnx_fp32", "onnx_int8"],  # noqa: B006
    opponents: bool = False,
    runs: int = 5,
) -> None:
    """Plays self-play with each evaluator in turn, `runs` times, and prints medians.

    The roofline is the rate of the network's matrix products alone, in fp32, by the library that the evaluator uses.

    Args:
        simulations: Simulations per move.
        games: Games per run.
        parallel: Games played side by side.
        threads: Threads for trees and network together.
        width: Width of the residual MLP.
        blocks: Blocks of the residual MLP.
        kinds: Kinds of evaluators.
        opponents: Whether half of the games are against the built-in opponents, as in iter600_to_1000.
        runs: Number of runs. Their median is shown.
    """
    torch.manual_seed(0)
    network = ResidualMLP(width=width, blocks=blocks).eval()
    plan = {SELF_PLAY: games}
    if opponents:
        plan = {SELF_PLAY: games // 2} | {name: games // 2 // len(OPPONENTS) for name in OPPONENTS}
    products = own_products(network)
    rooflines: list[float] = []
    stats: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    for seed in range(runs):
        rooflines.append(rate(products, parallel // LANES, threads, 0.3))
        for kind in kinds:
            MEMORY.setdefault(kind, LaneMemory())
            options = {"simulations": simulations, "threads": threads, "parallel": parallel}
            stats[kind].append(play(network, kind, plan, seed, **options).stats.to_log())
    count = sum(parameter.numel() for parameter in network.parameters())
    table = Table(
        title=f"Self-play, {sum(plan.values())} games, {parallel} at a time, {simulations} simulations, "
        f"{count:,} parameters, {threads} threads, medians of {runs}"
    )
    table.add_column("what")
    for kind in kinds:
        table.add_column(kind, justify="right")

    def row(label: str, cell: list[str]) -> None:
        table.add_row(label, *cell)

    def median(kind: str, key: str) -> float:
        return statistics.median(s[key] for s in stats[kind])

    for key in ("games", "positions", "simulations", "evaluations"):
        row(f"{key} per second", [f"{median(kind, f'{key}_per_second'):,.0f}" for kind in kinds])
    for key in SHARES:
        row(f"share of the time: {key}", [f"{median(kind, f'{key}_share'):.3f}" for kind in kinds])
    ceiling = statistics.median(rooflines)
    row("evaluations per second, fp32 products alone", [f"{ceiling:,.0f}" for _ in kinds])
    shares = {
        kind: statistics.median(s["evaluations_per_second"] / r for s, r in zip(stats[kind], rooflines, strict=True))
        for kind in kinds
    }
    row("share of that roofline", [f"{shares[kind]:.2f}" for kind in kinds])
    Console(width=120).print(table)


if __name__ == "__main__":
    jsonargparse.auto_cli(main)
