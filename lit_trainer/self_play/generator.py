"""Generates an iteration's games: the protocol of whoever does it, and the generator that plays in this process."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Protocol

from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.networks.evaluators import make_evaluator
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.opponent_pool import OpponentPool
from lit_trainer.players.protocols import Opponent
from lit_trainer.players.specs import SELF_PLAY
from lit_trainer.self_play.games import GeneratedGames, OpponentGames, generate_games_batched_by_opponent
from lit_trainer.self_play.lanes import LaneMemory
from lit_trainer.self_play.settings import GenerationSettings, WorkerSettings
from lit_trainer.utils.memory import memory_advice
from lit_trainer.utils.seeding import derive_seed


class Generator(Protocol):
    """Generates the games of one iteration after another."""

    def generate(self, iteration: int) -> GeneratedGames:
        """Returns the games of an iteration, at least as many as the settings say.

        Args:
            iteration: Number of the iteration. It rises from call to call.
        """

    @property
    def games_ahead(self) -> int:
        """Returns how many games may be on their way at any time. They are lost where the run ends."""

    def check(self) -> None:
        """Raises an error if generation has failed meanwhile. Returns at once."""

    def close(self) -> None:
        """Frees what generation holds. `generate` may be called again and starts anew."""


class LocalGenerator:
    """Generates games in this process, with the network's weights as they are at the time.

    Args:
        settings: Returns the settings. It is asked in every iteration, since schedules change them.
        network: The learner's network. It is in evaluation mode while it plays.
        pool: Chooses the opponents.
        temperature: Returns the temperature of the learner's visit shares. It is asked in every iteration.
        seed: The run's random seed. The same seed, iteration and weights give the same games.
        rank: Rank of this process in the run. Each rank plays other games.
        on_progress: Is told the games played so far, in part-games, a few times per second. What it raises ends the
            games. None: Nobody is told.
    """

    def __init__(
        self,
        settings: Callable[[], GenerationSettings],
        network: PolicyValueNetwork,
        pool: OpponentPool,
        *,
        temperature: Callable[[], float],
        seed: int,
        rank: int = 0,
        on_progress: Callable[[float], None] | None = None,
    ) -> None:
        self._settings = settings
        self._network = network
        self._pool = pool
        self._temperature = temperature
        self._seed = seed
        self._rank = rank
        self._on_progress = on_progress
        self._memory = LaneMemory()

    def generate(self, iteration: int) -> GeneratedGames:
        """Plays the games of an iteration and returns them.

        Args:
            iteration: Number of the iteration, from which its seed is derived.

        Raises:
            AgentTimeoutError: An agent written in Python takes longer for a move than its time limit.
        """
        settings, network, pool = self._settings(), self._network, self._pool
        plan, temperature = pool.plan(settings.games), self._temperature()
        return play_games(
            settings,
            network,
            plan,
            temperature=temperature,
            seed=derive_seed(self._seed, "self-play", iteration, self._rank),
            opponents=pool.players_of(plan, network, temperature),
            player=f"rank {self._rank}",
            memory=self._memory,
            on_progress=self._on_progress,
        )

    @property
    def games_ahead(self) -> int:
        """Returns 0, because no game is on its way between two iterations."""
        return 0

    def check(self) -> None:
        """Does nothing, because nothing goes on between two iterations."""

    def close(self) -> None:
        """Frees the memory of trees and buffers."""
        self._memory.forget()


def make_generator(
    settings: Callable[[], GenerationSettings],
    network: PolicyValueNetwork,
    pool: OpponentPool,
    workers: WorkerSettings | None,
    *,
    temperature: Callable[[], float],
    seed: int,
    rank: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> Generator:
    """Returns a generator that plays in worker processes, or in this process if there are none.

    Args:
        settings: See `LocalGenerator`. Workers get them with every order of games.
        network: See `LocalGenerator`.
        pool: See `LocalGenerator`.
        workers: Settings of the worker processes. None: this process plays.
        temperature: See `LocalGenerator`.
        seed: See `LocalGenerator`.
        rank: See `LocalGenerator`.
        on_progress: See `LocalGenerator`.
    """
    if workers is None:
        return LocalGenerator(
            settings, network, pool, temperature=temperature, seed=seed, rank=rank, on_progress=on_progress
        )
    from lit_trainer.self_play.workers.asynchronous import AsynchronousGenerator  # POSIX systems only

    return AsynchronousGenerator(
        settings, network, pool, workers, temperature=temperature, seed=seed, rank=rank, on_progress=on_progress
    )


def play_games(
    settings: GenerationSettings,
    network: PolicyValueNetwork,
    plan: Mapping[str, int],
    *,
    temperature: float,
    seed: int,
    opponents: Mapping[str, Opponent],
    player: str = "rank 0",
    memory: LaneMemory | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> GeneratedGames:
    """Plays the games of a plan with a network's weights as they are.

    Args:
        settings: Settings of the games. Their number is the plan's.
        network: The learner's network. It is in evaluation mode while it plays.
        plan: Opponent to number of games, see `OpponentPool.plan`.
        temperature: Temperature of the learner's visit shares.
        seed: Random seed of deals, searches and opponents. The same seed gives the same games.
        opponents: Opponents of the plan by name, see `OpponentPool.players_of`.
        player: Name of this process among those that play at the same time, see `SelfPlayStats`.
        memory: Trees and buffers, kept from one call to the next. None: They are made for this call.
        on_progress: Is told the games played so far, in part-games, a few times per second. What it raises ends the
            games.

    Raises:
        AgentTimeoutError: An agent written in Python takes longer for a move than its time limit.
    """
    sides = [
        OpponentGames(
            name,
            count,
            None if name == SELF_PLAY else opponents[name].player(derive_seed(seed, name), settings.threads),
        )
        for name, count in plan.items()
    ]
    advice = (
        f"lower data.generation.parallel_games (now {settings.parallel_games}) "
        "or, where there are workers, data.workers.count"
    )
    with memory_advice("in self-play", advice), make_evaluator(network, settings.evaluator) as evaluate:
        learner = NetworkPlayer(
            evaluate,
            simulations=settings.simulations,
            temperature=temperature,
            seed=derive_seed(seed, "search"),
            threads=settings.threads,
            settings=settings.search,
        )
        return generate_games_batched_by_opponent(
            learner,
            sides,
            game=network.game,
            seed=seed,
            parallel_games=settings.parallel_games,
            # a Gumbel root takes the scale of its noise from the temperature, as the learner's searches say
            settings=dataclasses.replace(settings, search=learner.settings),
            player=player,
            memory=memory,
            on_progress=on_progress,
        )
