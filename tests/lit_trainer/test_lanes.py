"""Lanes: two halves of the games side by side, which no result may show, and threads that always come home."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from lit_trainer.evaluators import TorchEvaluator
from lit_trainer.game_generator import OpponentGames, generate_games_batched_by_opponent
from lit_trainer.lanes import LANES, LaneMemory, PlayedGames, Schedule, play_schedule
from lit_trainer.networks import ResidualMLP
from lit_trainer.players import BuiltinPlayer, Moves, NetworkPlayer, PythonPlayer
from sim_core import Action, GameBatch, GameRunner, State

pytestmark = pytest.mark.timeout(120)

WIDE = 80  # slots: enough for two lanes, of 40 slots each
RANDOM = BuiltinPlayer("random", 5)


class Counting:
    """Plays by how often it was asked, so that the order in which it meets its games shows in them."""

    def __init__(self) -> None:
        self.calls = 0
        self.seen: list[State] = []

    def select_action(self, state: State, legal_actions: Sequence[Action]) -> Action:
        self.calls += 1
        self.seen.append(state)
        return legal_actions[self.calls % len(legal_actions)]


def a_schedule(games: int, opponents: int, seed: int = 0) -> Schedule:
    """Self-play and games against each opponent in turn, from both seats."""
    numbers = np.arange(games)
    controllers = np.zeros((games, 2), dtype=np.int64)
    controllers[numbers, numbers // (opponents + 1) % 2] = numbers % (opponents + 1)
    return Schedule(numbers + 1000 * seed, numbers // 2 % 2, controllers)


def play(evaluator: Any, opponents: Sequence[Any] = (), games: int = 120, **changes: Any) -> PlayedGames:
    learner = {"simulations": 4, "temperature": 1.0, "seed": 7, "dirichlet_fraction": 0.25}
    learner |= {name: changes.pop(name) for name in (*learner, "threads", "root_selection") if name in changes}
    arguments: dict[str, Any] = {"game": "beasty_bar", "seed": 3, "parallel_games": WIDE, "record": True} | changes
    return play_schedule(NetworkPlayer(evaluator, **learner), a_schedule(games, len(opponents)), opponents, **arguments)


def same(first: PlayedGames, second: PlayedGames) -> bool:
    """Bit for bit, positions included, in their order."""
    parts = ("outcomes", "scores", "states", "policies", "position_outcomes", "evaluations", "simulations")
    return all(np.array_equal(getattr(first, part), getattr(second, part)) for part in parts)


def lane_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("lane")]


# ---------------------------------------------------------------------- threads change nothing


@pytest.mark.parametrize("threads", [2, 3, 4])
@pytest.mark.parametrize("options", [{}, {"simulations": 0}, {"root_selection": "gumbel"}], ids=str)
def test_threads_change_no_game(scrambled: Any, threads: int, options: dict[str, Any]) -> None:
    opponents = [
        RANDOM,
        PythonPlayer("counting", Counting()),
        NetworkPlayer(scrambled, simulations=0, temperature=1.0, seed=4),
    ]
    alone = play(scrambled, opponents, **options)
    opponents[1] = PythonPlayer("counting", Counting())
    assert same(play(scrambled, opponents, threads=threads, **options), alone)
    assert len(np.unique(alone.outcomes)) == 3


@pytest.mark.parametrize("games", [128, 129])
def test_threads_change_no_game_of_a_real_network(make_network: Callable[..., ResidualMLP], games: int) -> None:
    """Lanes that write their observations where another lane's network reads them play other games."""
    network = make_network(width=64, blocks=2).eval()
    past = NetworkPlayer(TorchEvaluator(make_network(1).eval()), simulations=2, temperature=1.0, seed=4)
    plain = None
    for threads in (1, 2, 4, 2):
        for memory in (None, LaneMemory()):
            with TorchEvaluator(network) as evaluator:
                played = play(
                    evaluator,
                    [RANDOM, past],
                    games,
                    threads=threads,
                    memory=memory,
                    parallel_games=games,
                    simulations=8,
                )
            plain = plain or played
            assert same(played, plain), (threads, memory)


def test_lanes_share_no_memory(make_network: Callable[..., ResidualMLP]) -> None:
    """An evaluator gives a thread one and the same buffer at every call; two lanes need two."""
    evaluator = TorchEvaluator(make_network().eval())
    learner = NetworkPlayer(evaluator, simulations=2, temperature=1.0, seed=7)
    for slots in (64, 65, 1000):
        views = []
        for leaves in LaneMemory().lanes("beasty_bar", slots, learner):
            runner = GameRunner(
                leaves,
                simulations=2,
                settings=None,
                temperature=1.0,
                seed=1,
                learner_seed=2,
                streams=np.arange(leaves.slots),
                first_player=0,
                controllers=np.zeros((leaves.slots, 2), dtype=np.int64),
            )
            rows = runner.advance()
            assert rows == leaves.slots
            views.append(leaves.encode(rows, 1)[0])
        assert len(views) == LANES
        assert sum(map(len, views)) == slots
        assert not np.shares_memory(views[0], views[1])
