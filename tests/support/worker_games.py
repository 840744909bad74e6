"""Provides small networks of connect four whose games tell which weights played them, and workers that play them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lit_trainer import OpponentPool, ResidualMLP
from lit_trainer.self_play.games import GeneratedGames
from lit_trainer.self_play.settings import GenerationSettings, WorkerSettings
from lit_trainer.self_play.workers.asynchronous import AsynchronousGenerator
from sim_core import GameBatch, get_game

GAME = "connect_four"


def player(column: int | None = None) -> ResidualMLP:
    """Returns a network that strongly prefers one column, or rates all alike."""
    network = ResidualMLP(GAME, width=8, blocks=0)
    with torch.no_grad():
        for parameter in network.policy_head.parameters():
            parameter.zero_()
        if column is not None:
            network.policy_head.bias[column] = 20.0
    return network


def self_play() -> OpponentPool:
    return OpponentPool([], self_play_share=1.0, past_share=0.0)


def openings(games: GeneratedGames) -> set[int]:
    """Returns the columns of all games' first moves, known from the positions after one ply."""
    batch = GameBatch.from_packed(games.states, game=GAME)
    found = {games.states[row].tobytes() for row in np.flatnonzero(batch.ply == 1)}
    columns = {}
    for column in range(get_game(GAME).num_actions):
        for seat in (0, 1):
            after = GameBatch(1, game=GAME, first_player=seat)
            after.step([column])
            columns[after.packed().tobytes()] = column
    return {columns[state] for state in found}


class Driven:
    """Runs a generator by workers whose network, settings and temperature a test sets from call to call."""

    def __init__(self, network: Any, pool: OpponentPool, rank: int = 0, **options: Any) -> None:
        workers = {name: options.pop(name) for name in ("count", "timeout", "max_staleness") if name in options}
        self.network = network
        self.temperature = 1.0
        self.settings = GenerationSettings(**({"games": 24, "simulations": 0, "threads": 1} | options))
        self.generator = AsynchronousGenerator(
            lambda: self.settings,
            network,
            pool,
            WorkerSettings(**({"device": "cpu"} | workers)),
            temperature=lambda: self.temperature,
            seed=5,
            rank=rank,
        )

    def collect(self, iteration: int, network: Any = None, temperature: float = 1.0) -> GeneratedGames:
        """Plays an iteration, before which the network takes the weights of another one."""
        if network is not None:
            self.network.load_state_dict(network.state_dict())
        self.temperature = temperature
        return self.generator.generate(iteration)
