"""Provides games in lanes for tests of self-play: a mixed schedule, and an agent whose moves show its order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lit_trainer.players.engine_players import BuiltinPlayer
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.self_play.lanes import PlayedGames, Schedule, play_schedule
from sim_core import Action, State

WIDE = 80
"""Enough slots for two lanes, of 40 slots each."""
RANDOM = BuiltinPlayer("random", 5)


class Counting:
    """Plays by how often it was asked, so that its games show the order in which it met them."""

    def __init__(self) -> None:
        self.calls = 0
        self.seen: list[State] = []

    def select_action(self, state: State, legal_actions: Sequence[Action]) -> Action:
        self.calls += 1
        self.seen.append(state)
        return legal_actions[self.calls % len(legal_actions)]


def a_schedule(games: int, opponents: int, seed: int = 0) -> Schedule:
    """Returns self-play, and games against each opponent in turn, from both seats."""
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
    """Returns whether games are the same bit for bit, with their positions in the same order."""
    parts = ("outcomes", "scores", "states", "policies", "position_outcomes", "evaluations", "simulations")
    return all(np.array_equal(getattr(first, part), getattr(second, part)) for part in parts)
