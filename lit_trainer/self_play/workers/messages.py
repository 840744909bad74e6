"""Defines what the trainer and its worker processes send each other."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass

from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.self_play.games import GeneratedGames
from lit_trainer.self_play.settings import GenerationSettings
from lit_trainer.utils.seeding import derive_seed

ALIVE = None
"""A worker's sign of life."""


@dataclass(frozen=True)
class WorkerSetup:
    """Tells a worker all that it needs when it starts.

    Args:
        worker: Number of the worker among those of its trainer.
        network: Class and `config` of the network, pickled.
        opponents: Opponents of the pool, each pickled, by name.
        seed: The run's random seed.
        rank: The trainer's rank in the run.
        start_iteration: Iteration at which the workers were started.
        max_staleness: Iterations that weights may lag behind when their games are taken.
        device: Device on which the network is evaluated.
        max_past: Most past checkpoints that there may be at once.
        shared_fd: Descriptor of the memory that trainer and workers share.
        trainer_pid: Process id of the trainer. A worker ends when its parent is another process.
        owed: Games that the worker owes each opponent at its start, see `Apportionment`.
    """

    worker: int
    network: bytes
    opponents: Mapping[str, bytes]
    seed: int
    rank: int
    start_iteration: int
    max_staleness: int
    device: str
    max_past: int
    shared_fd: int
    trainer_pid: int
    owed: Mapping[str, float]

    @property
    def player(self) -> str:
        """Returns the worker's name in statistics, unlike that of any other process of the run."""
        return f"rank {self.rank}, worker {self.worker}"

    def chunk_seed(self, chunk: int) -> int:
        """Returns the seed of a chunk. No two chunks of a run have the same, also where the run was resumed."""
        return derive_seed(self.seed, "worker", self.start_iteration, self.rank, self.worker, chunk)


@dataclass(frozen=True)
class Order:
    """Orders a chunk of games from a worker.

    Args:
        settings: Settings of the games, with every order, since schedules change them during a run.
        games: Number of games of the chunk.
    """

    settings: GenerationSettings
    games: int


@dataclass(frozen=True)
class Chunk:
    """Brings games that were played with the weights of one version.

    Args:
        version: Version of the weights, the iteration that published them.
        games: The games.
        owed: Games that the worker now owes each opponent.
    """

    version: int
    games: GeneratedGames
    owed: Mapping[str, float]


@dataclass(frozen=True)
class Abandoned:
    """Reports games that were given up, because at their end they would be too old to learn from.

    Args:
        version: Version of the weights, the iteration that published them.
        games: Number of the games.
    """

    version: int
    games: int


@dataclass(frozen=True)
class Failed:
    """Brings the traceback of what a worker raised, after which it ends.

    Args:
        traceback: The traceback as text.
    """

    traceback: str


def pickled_network(network: PolicyValueNetwork) -> bytes:
    """Returns a network's class and `config`, pickled. Its weights come through shared memory.

    Raises:
        ValueError: Another process cannot make the network.
    """
    try:
        if type(network).__module__ == "__main__":
            raise TypeError("worker processes cannot import the script that was started; move the class into a module")
        return pickle.dumps((type(network), network.config))
    except Exception as error:  # whatever pickling its arguments raises
        raise ValueError(
            f"network: {type(network).__module__}.{type(network).__qualname__} cannot be made in worker processes: "
            f"{error}"
        ) from error
