"""Measures the search alone, and its peers: ``python benchmarks/search.py``. Prints medians of several runs."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from itertools import count
from typing import Literal

import jsonargparse
import numpy as np
import torch
from cases import Case, Speed, Work, measure, new_table
from engine import neutral
from evaluators import own_products
from peers import PEERS, install_hint, is_installed, one_core, peer_cases
from rich.console import Console

from lit_trainer import ResidualMLP, make_evaluator
from sim_core import Belief, Beliefs, GameBatch, Searcher, SearchSettings, ismcts
from sim_core.runner_settings import SLIP

PUCT = SearchSettings(dirichlet_fraction=0.25)
GUMBEL = SearchSettings(root_selection="gumbel", policy_target="completed_q", gumbel_scale=1.0)
Section = Literal["tree", "endgame", "told", "ismcts", "network", "peers"]


def searches(
    batch: GameBatch, simulations: int, settings: SearchSettings, searcher: Searcher | None = None, threads: int = 1
) -> Work:
    """Returns searches of the batch with an evaluator that costs nothing, one after the other in the same memory."""
    searcher = searcher or Searcher(len(batch), simulations, game=batch.handle.name)
    seeds = count()

    def work() -> int:
        searcher.search(batch, neutral, simulations, seed=next(seeds), threads=threads, settings=settings)
        return len(batch) * simulations

    return work


def tree_cases(games: int, simulations: list[int]) -> list[Case]:
    """Returns cases of the tree alone, for both games."""
    cases = []
    for game in ("beasty_bar", "connect_four"):
        for each in simulations:
            batch = GameBatch(games, 3, game=game)
            searcher = Searcher(games, each, game=game)
            for name, settings in (("PUCT", PUCT), ("Gumbel, completed Q", GUMBEL)):
                one, two = (searches(batch, each, settings, searcher, threads) for threads in (1, 2))
                megabytes = f"trees {searcher.nbytes / 1e6:.1f} MB"
                label = f"{game}, {each} simulations, {name}"
                cases.append(Case(label, one, two, lambda _, text=megabytes: text))  # type: ignore[misc]
    return cases


def at_ply(ply: int, games: int) -> GameBatch:
    """Returns positions of Beasty Bar as random play reaches them."""
    batch = GameBatch(games, 3)
    while batch.ply[0] < ply:
        batch.step(batch.opponent_actions("random", 1))
    return batch


def endgame_cases(games: int, simulations: int) -> list[Case]:
    """Returns cases of searches that meet endgames, with the solver's values and without.

    They show what the tree still costs at such depths.
    """

    def microseconds(speeds: list[Speed]) -> str:
        return f"{1e6 / statistics.median(each.processor for each in speeds):.2f} microseconds each"

    cases = []
    for ply in (11, 13, 15):
        batch = at_ply(ply, games)
        for name, exact in (("exact leaves", True), ("none", False)):
            settings = SearchSettings(dirichlet_fraction=0.25, exact_leaves=exact)
            one, two = (searches(batch, simulations, settings, None, threads) for threads in (1, 2))
            cases.append(Case(f"from ply {ply}, {simulations} simulations, {name}", one, two, microseconds))
    return cases


def told_cases(games: int, simulations: int, kind: str) -> list[Case]:
    """Returns cases of searches that are told their opponent or infer it, and of one that does not, counted in moves.

    The positions are of all turns of a game in equal shares, as random play reaches them. A search that infers begins
    there with as little as at the deal, so that all opponents are drawn.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    evaluate = make_evaluator(ResidualMLP(width=256, blocks=4).eval(), kind)
    batch, seeds = GameBatch(games, 3), count()
    while (going := batch.ply < np.arange(games) % 24).any():
        batch.step(np.where(going, batch.opponent_actions("random", 1), -1))
    searcher = Searcher(games, simulations, observations=evaluate.observation_buffer(games))

    def searched(opponent: str | None, threads: int, beliefs: Beliefs | None = None) -> Work:
        def work() -> int:
            searcher.search(
                batch, evaluate, seed=next(seeds), threads=threads, settings=PUCT, opponents=opponent, beliefs=beliefs
            )
            return games

        return work

    def believed(*names: str | None) -> Beliefs:
        beliefs = Beliefs(batch.handle.name, games, len(names))
        for k in range(games):
            Belief(batch.handle.name, batch.state(k).data, int(batch.to_move[k]), names, SLIP, beliefs, k)
        return beliefs

    told = [Case(f"told {name}", searched(name, 1), searched(name, 2)) for name in batch.handle.opponents]
    for what, names in (
        ("told distilled_outcome, with beliefs", ("distilled_outcome",)),
        ("inferring", (*batch.handle.opponents, None)),
    ):
        beliefs = believed(*names)
        told.append(Case(what, searched(None, 1, beliefs), searched(None, 2, beliefs)))
    untold = Case(
        "told nothing; ours: told each", searched(None, 1), searched(None, 2), ours=[case.what for case in told]
    )
    return [untold, *told]


def rollouts(iterations: int, moves: int, game: str = "beasty_bar", threads: int = 1) -> Work:
    """Returns plain information-set search with random rollouts from the deal, counted in iterations."""
    batch, seeds = GameBatch(moves, 3, game=game), count()

    def work() -> int:
        ismcts(batch, iterations, seed=next(seeds), threads=threads)
        return moves * iterations

    return work


def ismcts_cases(iterations: list[int], moves: int) -> list[Case]:
    """Returns cases of the search without a network. `moves` is the batch's size, an even number for two threads."""

    def milliseconds(each: int) -> Callable[[list[Speed]], str]:
        return lambda speeds: f"{1e3 * each / statistics.median(one.processor for one in speeds):.2f} ms a move"

    return [
        Case(
            f"{game}, {each:,} iterations",
            rollouts(each, moves, game),
            rollouts(each, moves, game, 2),
            milliseconds(each),
        )
        for game in ("beasty_bar", "connect_four")
        for each in iterations
    ]


def network_cases(games: int, simulations: int, kinds: list[str]) -> list[Case]:
    """Returns cases of searches with a real network, and of its matrix products alone, counted in rows it evaluates."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = ResidualMLP(width=256, blocks=4).eval()
    cases = [_with_network(network, kind, games, simulations) for kind in kinds]
    multiply = own_products(network)(games)

    def products() -> int:
        multiply()
        return games

    return [*cases, Case(f"fp32 products alone, {games} rows", products, ours=[case.what for case in cases])]


def _with_network(network: ResidualMLP, kind: str, games: int, simulations: int) -> Case:
    batch, seeds, evaluate = GameBatch(games, 3), count(), make_evaluator(network, kind)
    observations = evaluate.observation_buffer(games)
    searcher = Searcher(games, simulations, observations=observations)
    seconds = searcher.leaves.seconds
    rows = moves = 0

    def counted(observations: np.ndarray, legal_mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nonlocal rows
        rows += len(observations)
        return evaluate(observations, legal_mask)

    def work() -> int:
        nonlocal moves
        before = rows
        searcher.search(batch, counted, seed=next(seeds), settings=PUCT)
        moves += games
        return rows - before

    def remark(speeds: list[Speed]) -> str:
        each = statistics.median(one.processor for one in speeds) * moves / rows
        share = seconds["forward"] / sum(seconds.values())
        return f"{each:,.0f} moves, {each * simulations:,.0f} simulations; forward pass takes {share:.3f} of the time"

    return Case(f"rows by {kind}, {games} games of {simulations} simulations", work, remark=remark)


def main(
    games: int = 1024,
    simulations: list[int] = [8, 16, 32, 64],  # noqa: B006
    iterations: list[int] = [200, 1000, 5000],  # noqa: B006
    moves: int = 4,
    network_games: int = 512,
    network_simulations: int = 32,
    kinds: list[str] = ["torch"],  # noqa: B006
    sections: list[Section] = ["tree", "endgame", "told", "ismcts", "network", "peers"],  # noqa: B006
    peers: list[Literal["mctx", "pgx", "OpenSpiel"]] = ["mctx", "pgx", "OpenSpiel"],  # noqa: B006
    runs: int = 7,
    seconds: float = 0.2,
) -> None:
    """Measures the rows of each section in turn, `runs` times, and prints medians.

    Peers are compared on one core, by counts per second of processor time. A peer that is not installed is named, with
    the command that installs it.

    Args:
        games: Games searched side by side, in trees that are kept from search to search.
        simulations: Numbers of simulations per move, for the tree alone. Endgames are searched with the largest.
        iterations: Numbers of iterations per move, for the search without a network.
        moves: Moves that the search without a network makes in one call.
        network_games: Games searched side by side with the network.
        network_simulations: Simulations per move with the network, and in comparisons with peers.
        kinds: Kinds of evaluators.
        sections: Sections to measure.
        peers: Peers to compare with, if they are installed. pgx needs mctx.
        runs: Number of runs. Their median is shown.
        seconds: Seconds of each measurement.
    """
    console, table = Console(width=160), new_table(f"Search, medians of {runs} runs")
    made: dict[str, tuple[str, Callable[[], list[Case]]]] = {
        "tree": (f"Tree alone, {games:,} games, simulations", lambda: tree_cases(games, simulations)),
        "endgame": (
            f"Trees that meet endgames, {games:,} games, simulations",
            lambda: endgame_cases(games, max(simulations)),
        ),
        "told": (
            f"Search with the residual MLP that knows its opponent, {network_games} games, {network_simulations} "
            "simulations: moves",
            lambda: told_cases(network_games, network_simulations, kinds[0]),
        ),
        "ismcts": ("ismcts with random rollouts, iterations", lambda: ismcts_cases(iterations, moves)),
        "network": (
            "With the residual MLP, 256 wide, 4 blocks: rows",
            lambda: network_cases(network_games, network_simulations, kinds),
        ),
    }
    for name, (title, cases) in made.items():
        if name in sections:
            measure(table, title, cases(), runs, seconds)
    missing = []
    if "peers" in sections:
        missing = [peer for peer in PEERS if peer in peers and not is_installed(peer)]
        with one_core():
            for title, beside in peer_cases(network_simulations, max(iterations), moves, seconds, peers):
                measure(table, title, beside, runs, seconds)
    console.print(table)
    for peer in missing:
        console.print(f"{peer} is not installed, so it is not compared: {install_hint()}", markup=False)


if __name__ == "__main__":
    jsonargparse.auto_cli(main)
